/**
 * Calls to the server, with addresses relative to this page: a reverse proxy may add a path prefix.
 * Every failure is a Problem whose message is shown to the user.
 */

const STORED_KEY = "gazecrop-key";

export class Problem extends Error {
  /** @param {string} message @param {number} status 0 when there was no response */
  constructor(message, status, slug = "") {
    super(message);
    Object.assign(this, { status, slug });
  }
}

export const address = (path) => new URL(path, document.baseURI).href;
export const key = () => sessionStorage.getItem(STORED_KEY);

/**
 * Sends a request. After a 401 or 403 it asks for the API key and sends it again.
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
      const large = options.body?.size > 2e7 ? " The picture may also be larger than the server accepts." : "";
      throw new Problem(`The server cannot be reached. Your work on this page is kept: try again later.${large}`, 0);
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status !== 401 && answer.status !== 403) throw problem;
    if (!(await askForKey(key() ? problem.message : ""))) throw problem;
  }
}

/** Sentences from a problem document (RFC 9457). @param {Response} answer */
async function problemOf(answer) {
  const text = await answer.text();
  let document = {};
  try {
    document = JSON.parse(text);
  } catch {
    // HTML of a proxy or plain text of the HTTP parser: only the status is used
  }
  const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
  const title = document.title ?? `The server answered ${answer.status}`;
  const wait = Number(answer.headers.get("Retry-After"));
  const retry = answer.status === 503 && wait ? `Try again in ${wait} s.` : "";
  const message = [document.detail?.startsWith(title) ? "" : title, document.detail, document.fix, retry]
    .filter(Boolean)
    .map(sentence)
    .join(" ");
  return new Problem(
    message,
    answer.status,
    String(document.type ?? "")
      .split("/")
      .pop(),
  );
}

/** Shows the dialog for the API key. @param {string} message shown in it @returns {Promise<boolean>} false: cancelled */
function askForKey(message) {
  const dialog = document.getElementById("key"),
    input = document.getElementById("key-input");
  document.getElementById("key-error").textContent = message;
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
