/** The page's main flow: a picture is chosen, uploaded and analysed; then result.js shows the result. */
import { call, jsonOf, moduleOf } from "./api.js";
import { show as showExamples } from "./examples.js";
import { matches, moving, previewOf } from "./preview.js";
import { byId, update } from "./state.js";

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

let latest = 0; // number of the latest upload: the results of earlier ones are dropped

/**
 * Uploads a picture and shows its analysis.
 * @param {Blob|(() => Promise<Blob>)} source the picture, or a function that loads it @param {string} name
 * @param {import("./state.js").State["before"]} [before] for an edited picture: the one before the edit
 */
export function upload(source, name, before = null) {
  return attempt(async () => {
    const current = ++latest,
      started = performance.now();
    document.body.classList.add("busy");
    setStatus(`Analysing ${name}…`);
    try {
      const blob = typeof source === "function" ? await source() : source;
      const [answer, picture, result] = await Promise.all([
        call("v1/images", { method: "POST", body: blob }),
        previewOf(blob, name),
        moduleOf("./result.js"),
      ]);
      const analysis = await jsonOf(answer);
      if (current !== latest) return URL.revokeObjectURL(picture.url);
      const milliseconds = Math.round(performance.now() - started);
      setStatus(
        answer.status === 200
          ? `This picture was analysed before. Its stored map was loaded in ${milliseconds} ms.`
          : `Analysed in ${milliseconds} ms.`,
      );
      byId("start").hidden = true;
      byId("result").hidden = byId("another").hidden = false;
      if (!before) window.scrollTo(0, 0);
      picture.decodable &&= matches(picture, analysis.image);
      await result.show(analysis, analysis.image.animated ? moving(picture) : picture, before);
    } catch (error) {
      if (current === latest) throw error; // the error of an earlier upload is of no interest
    } finally {
      if (current === latest) document.body.classList.remove("busy");
    }
  });
}

export function restart(status = "") {
  latest++;
  document.body.classList.remove("busy");
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
const inDialog = () => document.querySelector("dialog[open]") !== null; // a modal dialog: the page behind it is inert
addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  if (inDialog()) return;
  const file = imageIn(event.dataTransfer);
  if (file) upload(file, file.name);
  else showError(new Error("This file is not a picture."));
});
addEventListener("paste", (event) => {
  const file = imageIn(event.clipboardData);
  if (file && !inDialog()) upload(file, file.name || "pasted picture");
});

showExamples(byId("examples"), upload);
