/** The page's own story: a picture comes in, is sent, and what came back is shown. What shows it is loaded meanwhile. */
import { call } from "./api.js";
import { show as showExamples } from "./examples.js";
import { byId, element, state, update } from "./state.js";

export const say = (text) => (byId("status").textContent = text);

/** A failure in plain words, with a way to go on. @param {Error} error @param {(() => void)|null} [again] */
export function fail(error, again = null) {
  byId("problem").hidden = false;
  byId("problem-text").textContent = error.message;
  byId("retry").hidden = !again;
  byId("retry").onclick = again;
  say("");
}
export const calm = () => (byId("problem").hidden = true);
byId("dismiss").addEventListener("click", calm);

/** Runs what may fail; a failure is shown and offers the same again. */
export async function attempt(doing) {
  calm();
  try {
    await doing();
  } catch (error) {
    const passes = !(error.status >= 400 && error.status < 500) || [408, 412, 429].includes(error.status);
    fail(error, passes ? () => attempt(doing) : null);
  }
}

/** @param {Blob} blob @returns {Promise<import("./state.js").Picture>} large ones in a smaller copy to look at */
async function readable(blob, name) {
  const url = URL.createObjectURL(blob),
    image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return { blob, name, url, shown: false };
  }
  const scale = Math.min(1, 1600 / Math.max(image.naturalWidth, image.naturalHeight));
  if (scale === 1) return { blob, name, url, shown: true };
  const canvas = element("canvas", {
    width: Math.round(image.naturalWidth * scale) || 1,
    height: Math.round(image.naturalHeight * scale) || 1,
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const copy = await new Promise((done) =>
    canvas.toBlob(done, blob.type === "image/jpeg" ? "image/jpeg" : "image/png", 0.9),
  );
  URL.revokeObjectURL(url);
  return { blob, name, url: URL.createObjectURL(copy), shown: true };
}

let turn = 0; // of several pictures given in haste only the last is shown

/**
 * Sends a picture and shows what came back.
 * @param {Blob} blob @param {string} name @param {{mirrored: boolean}|null} [edited] then the one before stays for comparison
 */
export function take(blob, name, edited = null) {
  return attempt(async () => {
    const mine = ++turn,
      started = performance.now();
    document.body.classList.add("busy");
    say(`Looking at ${name}…`);
    try {
      const [answer, picture, result] = await Promise.all([
        call("v1/images", { method: "POST", body: blob }),
        readable(blob, name),
        import("./result.js"),
      ]);
      const answered = await answer.json();
      if (mine !== turn) return;
      say(
        `${answer.status === 200 ? "Known already: answered from its stored map" : "Looked at"} in ${Math.round(performance.now() - started)} ms.`,
      );
      byId("start").hidden = true;
      byId("result").hidden = byId("another").hidden = false;
      if (!edited) window.scrollTo(0, 0);
      await result.show(answered, picture, edited);
    } finally {
      if (mine === turn) document.body.classList.remove("busy");
    }
  });
}

export function restart(text = "") {
  turn++;
  update({ picture: null, document: null, grid: null, before: null });
  byId("start").hidden = false;
  byId("result").hidden = byId("another").hidden = true;
  byId("file").value = byId("camera").value = "";
  say(text);
}

// ---- the ways in

for (const id of ["file", "camera"])
  byId(id).addEventListener("change", ({ target }) => {
    if (target.files[0]) take(target.files[0], target.files[0].name);
  });
const touched = matchMedia("(pointer: coarse)").matches; // nothing to drop or to paste there, but a camera
byId("camera-label").hidden = !touched;
byId("drop-hint").hidden = touched;
byId("another").addEventListener("click", () => restart());

const pictureIn = (data) => [...(data?.files ?? [])].find((file) => file.type.startsWith("image/") || !file.type);
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
  const file = pictureIn(event.dataTransfer);
  if (file) take(file, file.name);
  else fail(new Error("That is not a picture."));
});
addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (file) take(file, file.name || "pasted picture");
});

showExamples(byId("examples"), (name, load) => attempt(async () => take(await load(), name)));
