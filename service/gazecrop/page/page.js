/** The page's main flow: a picture is chosen, uploaded and analysed; then result.js shows the result. */
import { call } from "./api.js";
import { show as showExamples } from "./examples.js";
import { byId, element, state, update } from "./state.js";

export const setStatus = (text) => (byId("status").textContent = text);

/** Shows an error's message. @param {Error} error @param {(() => void)|null} [retry] what "Try again" runs, if anything */
export function showError(error, retry = null) {
  byId("problem").hidden = false;
  byId("problem-text").textContent = error.message;
  byId("retry").hidden = !retry;
  byId("retry").onclick = retry;
  setStatus("");
}
export const clearError = () => (byId("problem").hidden = true);
byId("dismiss").addEventListener("click", clearError);

/** Runs an action and shows its error. "Try again" is offered unless the error is permanent (most 4xx are). */
export async function attempt(action) {
  clearError();
  try {
    await action();
  } catch (error) {
    const temporary = !(error.status >= 400 && error.status < 500) || [408, 412, 429].includes(error.status);
    showError(error, temporary ? () => attempt(action) : null);
  }
}

/**
 * The picture as the page displays it: a large one as a copy of at most 1600 pixels.
 * @param {Blob} blob @param {string} name @returns {Promise<import("./state.js").Picture>}
 */
async function previewOf(blob, name) {
  const url = URL.createObjectURL(blob),
    image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return { blob, name, url, decodable: false };
  }
  const scale = Math.min(1, 1600 / Math.max(image.naturalWidth, image.naturalHeight));
  if (scale === 1) return { blob, name, url, decodable: true };
  const canvas = element("canvas", {
    width: Math.round(image.naturalWidth * scale) || 1,
    height: Math.round(image.naturalHeight * scale) || 1,
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const copy = await new Promise((done) =>
    canvas.toBlob(done, blob.type === "image/jpeg" ? "image/jpeg" : "image/png", 0.9),
  );
  URL.revokeObjectURL(url);
  return { blob, name, url: URL.createObjectURL(copy), decodable: true };
}

let latest = 0; // number of the latest upload: the results of earlier ones are dropped

/**
 * Uploads a picture and shows its analysis.
 * @param {Blob} blob @param {string} name @param {{mirrored: boolean}|null} [edited] for an edited picture: the one
 *   before it stays for comparison
 */
export function upload(blob, name, edited = null) {
  return attempt(async () => {
    const current = ++latest,
      started = performance.now();
    document.body.classList.add("busy");
    setStatus(`Analysing ${name}…`);
    try {
      const [answer, picture, result] = await Promise.all([
        call("v1/images", { method: "POST", body: blob }),
        previewOf(blob, name),
        import("./result.js"),
      ]);
      const analysis = await answer.json();
      if (current !== latest) return;
      const milliseconds = Math.round(performance.now() - started);
      setStatus(
        answer.status === 200
          ? `This picture was analysed before. Its stored map was loaded in ${milliseconds} ms.`
          : `Analysed in ${milliseconds} ms.`,
      );
      byId("start").hidden = true;
      byId("result").hidden = byId("another").hidden = false;
      if (!edited) window.scrollTo(0, 0);
      await result.show(analysis, picture, edited);
    } finally {
      if (current === latest) document.body.classList.remove("busy");
    }
  });
}

export function restart(status = "") {
  latest++;
  update({ picture: null, analysis: null, grid: null, before: null });
  byId("start").hidden = false;
  byId("result").hidden = byId("another").hidden = true;
  byId("file").value = byId("camera").value = "";
  setStatus(status);
}

// ---- input: file dialog, camera, drag and drop, clipboard, examples

for (const id of ["file", "camera"])
  byId(id).addEventListener("change", ({ target }) => {
    if (target.files[0]) upload(target.files[0], target.files[0].name);
  });
const touchScreen = matchMedia("(pointer: coarse)").matches; // it has a camera, but no drag and drop of files
byId("camera-label").hidden = !touchScreen;
byId("drop-hint").hidden = touchScreen;
byId("another").addEventListener("click", () => restart());

const imageIn = (transfer) =>
  [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/") || !file.type);
for (const name of ["dragenter", "dragover"])
  addEventListener(name, (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("over");
  });
for (const name of ["dragleave", "drop"])
  addEventListener(name, (event) => {
    if (name === "drop" || !event.relatedTarget) document.body.classList.remove("over");
  });
addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  const file = imageIn(event.dataTransfer);
  if (file) upload(file, file.name);
  else showError(new Error("This file is not a picture."));
});
addEventListener("paste", (event) => {
  const file = imageIn(event.clipboardData);
  if (file) upload(file, file.name || "pasted picture");
});

showExamples(byId("examples"), (name, load) => attempt(async () => upload(await load(), name)));
