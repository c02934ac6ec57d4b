/** The page's own story: a picture comes in, is sent, and what came back is shown. */
import "./view.js";
import "./crops.js";
import "./marks.js";
import { call } from "./api.js";
import { show as showExamples } from "./examples.js";
import { crop, decode } from "./gazecrop.js";
import { byId, element, onChange, state, update } from "./state.js";

const say = (text) => (byId("status").textContent = text);

/** A failure in plain words, with a way to go on. @param {Error} error @param {(() => void)|null} [again] */
function fail(error, again = null) {
  byId("problem").hidden = false;
  byId("problem-text").textContent = error.message;
  byId("retry").hidden = !again;
  byId("retry").onclick = again;
  say("");
}
const calm = () => (byId("problem").hidden = true);
byId("dismiss").addEventListener("click", calm);

/** Runs what may fail; a failure is shown and offers the same again. */
async function attempt(doing) {
  calm();
  try {
    await doing();
  } catch (error) {
    fail(error, () => attempt(doing));
  }
}

/** @param {Blob} blob @returns {Promise<import("./state.js").Picture>} large ones in a smaller copy to look at */
async function readable(blob, name) {
  const url = URL.createObjectURL(blob), image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return { blob, name, url, shown: false };
  }
  const scale = Math.min(1, 1600 / Math.max(image.naturalWidth, image.naturalHeight));
  if (scale === 1) return { blob, name, url, shown: true };
  const canvas = element("canvas", { width: Math.round(image.naturalWidth * scale) || 1, height: Math.round(image.naturalHeight * scale) || 1 });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const copy = await new Promise((done) => canvas.toBlob(done, blob.type === "image/jpeg" ? "image/jpeg" : "image/png", 0.9));
  URL.revokeObjectURL(url);
  return { blob, name, url: URL.createObjectURL(copy), shown: true };
}

let turn = 0; // of several pictures given in haste only the last is shown

/**
 * Sends a picture and shows what came back.
 * @param {Blob} blob @param {string} name @param {{mirrored: boolean}|null} [edited] then the one before stays for comparison
 */
function take(blob, name, edited = null) {
  return attempt(async () => {
    const mine = ++turn, started = performance.now();
    document.body.classList.add("busy");
    say(`Looking at ${name}…`);
    try {
      const [answer, picture] = await Promise.all([call("v1/images", { method: "POST", body: blob }), readable(blob, name)]);
      const answered = await answer.json();
      if (mine !== turn) return;
      const before = edited && state.grid ? { picture: state.picture, grid: state.grid, ...edited } : null;
      const person = answered.focus?.source === "person" ? { x: answered.focus.x, y: answered.focus.y } : null;
      say(`${answer.status === 200 ? "Known already: answered from its stored map" : "Looked at"} in ${Math.round(performance.now() - started)} ms.`);
      byId("start").hidden = true;
      byId("result").hidden = byId("another").hidden = false;
      if (!edited) window.scrollTo(0, 0);
      const grid = decode(answered.saliency.encoded);
      // The first shape shown is one that cuts something.
      const ratio = crop(grid, state.ratio).whole ? (grid.width > grid.height * 1.4 ? "square" : "desktop") : state.ratio;
      update({ ratio, picture, document: answered, grid, focus: person, kept: Boolean(person), tag: null, constraints: [], before });
      byId("result-title").focus({ preventScroll: true });
      if (person) update({ tag: (await call(`v1/images/${answered.id}/focus`)).headers.get("ETag") });
    } finally {
      if (mine === turn) document.body.classList.remove("busy");
    }
  });
}

function restart(text = "") {
  turn++;
  update({ picture: null, document: null, grid: null, before: null });
  byId("start").hidden = false;
  byId("result").hidden = byId("another").hidden = true;
  byId("file").value = byId("camera").value = "";
  say(text);
}

// ---- the ways in

for (const id of ["file", "camera"]) byId(id).addEventListener("change", ({ target }) => {
  if (target.files[0]) take(target.files[0], target.files[0].name);
});
byId("camera-label").hidden = !matchMedia("(pointer: coarse)").matches;
byId("another").addEventListener("click", () => restart());

const pictureIn = (data) => [...(data?.files ?? [])].find((file) => file.type.startsWith("image/") || !file.type);
for (const name of ["dragenter", "dragover"]) addEventListener(name, (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("over");
});
for (const name of ["dragleave", "drop"]) addEventListener(name, (event) => {
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

// ---- the focus that is kept, and forgetting

const focusPath = () => `v1/images/${state.document.id}/focus`;

byId("focus-keep").addEventListener("click", () => attempt(async () => {
  const { focus, tag, document: { id } } = state;
  const guard = tag ? { "If-Match": tag } : { "If-None-Match": "*" };
  try {
    const answer = await call(focusPath(), { method: "PUT", body: JSON.stringify(focus), headers: { "Content-Type": "application/json", ...guard } });
    if (state.document?.id === id) update({ kept: state.focus === focus, tag: answer.headers.get("ETag") });
    say("The focus is kept.");
  } catch (error) {
    if (error.status !== 412) throw error;
    const theirs = await call(focusPath());
    update({ focus: await theirs.json(), kept: true, tag: theirs.headers.get("ETag") });
    fail(new Error("Somebody else moved this focus meanwhile. Theirs is shown now; move it and keep yours if you still want to."));
  }
}));

byId("focus-drop").addEventListener("click", () => attempt(async () => {
  if (state.tag) await call(focusPath(), { method: "DELETE", headers: { "If-Match": state.tag } });
  const [point] = state.grid.points;
  update({ focus: null, kept: false, tag: null, document: { ...state.document, focus: { x: point?.x ?? 0.5, y: point?.y ?? 0.5, source: "model" } } });
  byId("focus").focus();
}));

byId("forget").addEventListener("click", () => attempt(async () => {
  await call(`v1/images/${state.document.id}`, { method: "DELETE" });
  restart("Forgotten: its map and its focus are deleted.");
}));

onChange(({ document: { id, model, version, image, symmetric }, grid }) => {
  const facts = { Size: `${image.width} × ${image.height}, ${image.format}`, Map: `${grid.columns} × ${grid.rows} cells${symmetric ? ", nearly symmetric" : ""}`, Network: model, Id: id, Version: version };
  byId("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]));
});

// ---- what is loaded only when it is asked for

byId("edit").addEventListener("click", async () => {
  const button = byId("edit"), { picture } = state;
  calm();
  button.disabled = true;
  try {
    const [{ edit }] = await Promise.all([import("./edit.js"), import("./compare.js")]);
    const changed = await edit(picture, byId("editor"));
    if (changed) await take(changed.blob, picture.name, { mirrored: changed.mirrored });
  } catch (error) {
    byId("edit-off").hidden = false;
    byId("edit-off").textContent = error.message;
  } finally {
    button.disabled = !byId("edit-off").hidden;
    button.focus();
  }
});

for (const id of ["takeaway", "report"]) byId(id).addEventListener("toggle", () => {
  if (byId(id).open) import(`./${id}.js`).then(({ open }) => open(byId(id).lastElementChild), fail);
}, { once: true });
