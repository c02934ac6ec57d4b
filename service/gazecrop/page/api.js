/**
 * Calls to the server, by addresses relative to this page: it may stand behind a proxy's path.
 * Every failure is a Problem with a sentence for people.
 */

const STORED_KEY = "gazecrop-key";

export class Problem extends Error {
  /** @param {string} message @param {number} status 0 when there was no answer at all */
  constructor(message, status, slug = "") {
    super(message);
    Object.assign(this, { status, slug });
  }
}

export const address = (path) => new URL(path, document.baseURI).href;
export const key = () => sessionStorage.getItem(STORED_KEY);

/**
 * One request. A 401 or 403 asks for the key and goes again.
 * @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} one whose status is 2xx
 */
export async function call(path, options = {}) {
  for (;;) {
    const headers = new Headers(options.headers);
    if (key()) headers.set("Authorization", `Bearer ${key()}`);
    let answer;
    try {
      answer = await fetch(address(path), { ...options, headers });
    } catch {
      const large = options.body?.size > 2e7 ? " The picture may also be larger than it takes." : "";
      throw new Problem(`The server cannot be reached. Nothing here is lost: try again in a moment.${large}`, 0);
    }
    if (answer.ok) return answer;
    const problem = await read(answer);
    if (answer.status !== 401 && answer.status !== 403) throw problem;
    if (!(await ask(key() ? problem.message : ""))) throw problem;
  }
}

/** problem+json (RFC 9457) in plain words. @param {Response} answer */
async function read(answer) {
  const text = await answer.text();
  let document = {};
  try {
    document = JSON.parse(text);
  } catch {
    // a proxy's page, or plain text from the HTTP parser: the status has to do
  }
  const sentence = (words) => (words && !/[.!?]$/.test(words) ? `${words}.` : words);
  const title = document.title ?? `The server answered ${answer.status}`;
  const wait = Number(answer.headers.get("Retry-After"));
  const again = answer.status === 503 && wait ? `Try again in ${wait} s.` : "";
  const words = [document.detail?.startsWith(title) ? "" : title, document.detail, document.fix, again]
    .filter(Boolean)
    .map(sentence)
    .join(" ");
  return new Problem(
    words,
    answer.status,
    String(document.type ?? "")
      .split("/")
      .pop(),
  );
}

/** The dialog for the key. @returns {Promise<boolean>} false when the person gave up */
function ask(wrong) {
  const dialog = document.getElementById("key"),
    input = document.getElementById("key-input");
  document.getElementById("key-wrong").textContent = wrong;
  input.value = "";
  dialog.returnValue = "";
  document.getElementById("key-cancel").onclick = () => dialog.close("");
  dialog.showModal();
  return new Promise((done) =>
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue === "ok") sessionStorage.setItem(STORED_KEY, input.value.trim());
        done(dialog.returnValue === "ok");
      },
      { once: true },
    ),
  );
}
