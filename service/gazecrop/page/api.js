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
      // nginx accepts 1 MB unless configured, and may close the connection before its 413 is read
      const large = options.body?.size > 1e6 ? " The picture may also be larger than the server accepts." : "";
      throw new Problem(`The server cannot be reached. Your work on this page is kept: try again later.${large}`, 0);
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status !== 401 && answer.status !== 403) throw problem;
    if (!(await askForKey(key() ? problem.message : ""))) throw problem;
  }
}

/** The JSON of a successful response. Throws a Problem where it is none, as from a proxy's login page. */
export async function jsonOf(answer) {
  try {
    return await answer.json();
  } catch {
    throw new Problem("The response is not from a Gazecrop server. Reload the page and try again.", 0);
  }
}

/** A module of this page, loaded when it is needed. @param {string} path @returns {Promise<any>} */
export async function moduleOf(path) {
  try {
    return await import(path);
  } catch {
    throw new Problem("A part of this page could not be loaded. Reload the page and try again.", 0);
  }
}

/** What a status means where the response has no problem document: most often a proxy answered. */
const MEANINGS = {
  408: "The upload took too long",
  413: "The picture is larger than this server or a proxy in front of it accepts. Choose a smaller one",
  429: "There were too many requests. Try again later",
  502: "The server is not available now. Try again later",
  503: "The server is not available now. Try again later",
  504: "The server did not answer in time. Try again later",
};

/** The problem document (RFC 9457) of a response; {} for HTML of a proxy or plain text of the HTTP parser. */
async function documentOf(answer) {
  try {
    return Object(await answer.json());
  } catch {
    return {};
  }
}

/** A Problem with sentences from the response. @param {Response} answer whose status is not 2xx */
async function problemOf(answer) {
  const document = await documentOf(answer);
  const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
  const title = document.title ?? MEANINGS[answer.status] ?? `The server answered with the status ${answer.status}`;
  const wait = Number(answer.headers.get("Retry-After"));
  const retry = document.title && answer.status === 503 && wait ? `Try again in ${wait} s.` : "";
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
