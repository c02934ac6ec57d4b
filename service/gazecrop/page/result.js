/** The result view: shows an analysis, and its actions: save a focus, edit, export, report, delete. */
import "./view.js";
import "./crops.js";
import "./marks.js";
import "./compare.js";
import { call, jsonOf, moduleOf } from "./api.js";
import { crop, decode } from "./gazecrop.js";
import { attempt, clearError, restart, setStatus, showError, upload } from "./page.js";
import { open as openExport } from "./export.js";
import { open as openReport } from "./report.js";
import { byId, element, onChange, state, update } from "./state.js";

/**
 * @param {any} analysis @param {import("./state.js").Picture} picture
 * @param {import("./state.js").State["before"]} edited the picture before the edit that made this one
 */
export async function show(analysis, picture, edited) {
  const grid = decode(analysis.saliency.encoded);
  const before = edited?.picture === state.picture ? edited : null;
  for (const old of [state.before?.picture, before ? null : state.picture]) if (old) URL.revokeObjectURL(old.url);
  const focus = analysis.focus.source === "person" ? { x: analysis.focus.x, y: analysis.focus.y } : null;
  if (!libraryMissing) byId("edit-error").hidden = true;
  const ratio = firstRatio(grid, focus);
  update({
    ratio,
    picture,
    analysis,
    grid,
    focus,
    focusStored: Boolean(focus),
    focusTag: null,
    constraints: [],
    before,
  });
  byId("result-title").focus({ preventScroll: true });
  if (!focus) return;
  const answer = await call(`v1/images/${analysis.id}/focus`);
  if (isShown(analysis.id)) update({ focusTag: answer.headers.get("ETag") });
}

/** The selected shape, unless it is that of the whole picture: then the one of the cards that keeps most. */
function firstRatio(grid, focus) {
  if (!crop(grid, state.ratio, { focus }).whole) return state.ratio;
  const [best] = [...state.ratios, "square", "desktop"]
    .map((ratio) => ({ ratio, ...crop(grid, ratio, { focus }) }))
    .filter(({ whole }) => !whole)
    .sort((a, b) => b.importance_fraction - a.importance_fraction);
  return best?.ratio ?? state.ratio; // no shape crops a picture of one pixel
}

/** After an `await` another picture may be shown, or none. */
const isShown = (id) => state.analysis?.id === id;

// ---- storing the focus, and deleting


byId("focus-save").addEventListener("click", () =>
  attempt(async () => {
    const {
      focus,
      focusTag,
      analysis: { id },
    } = state;
    const path = `v1/images/${id}/focus`,
      precondition = focusTag ? { "If-Match": focusTag } : { "If-None-Match": "*" };
    try {
      const answer = await call(path, {
        method: "PUT",
        body: JSON.stringify(focus),
        headers: { "Content-Type": "application/json", ...precondition },
      });
      if (!isShown(id)) return;
      update({ focusStored: state.focus === focus, focusTag: answer.headers.get("ETag") });
      setStatus("The focus is saved.");
    } catch (error) {
      if (error.status !== 412) throw error;
      const stored = await call(path),
        { x, y } = await jsonOf(stored);
      if (!isShown(id)) return;
      update({ focus: { x, y }, focusStored: true, focusTag: stored.headers.get("ETag") });
      showError(
        new Error(
          "Another user has changed this focus in the meantime. Theirs is shown now. Move it and save again to replace it.",
        ),
      );
    }
  }),
);

byId("focus-reset").addEventListener("click", () =>
  attempt(async () => {
    const {
      focusTag,
      analysis: { id },
    } = state;
    if (focusTag) await call(`v1/images/${id}/focus`, { method: "DELETE", headers: { "If-Match": focusTag } });
    if (!isShown(id)) return;
    const [point] = state.grid.points;
    update({
      focus: null,
      focusStored: false,
      focusTag: null,
      analysis: { ...state.analysis, focus: { x: point?.x ?? 0.5, y: point?.y ?? 0.5, source: "model" } },
    });
    byId("focus").focus();
  }),
);

byId("delete").addEventListener("click", () =>
  attempt(async () => {
    const { id } = state.analysis;
    await call(`v1/images/${id}`, { method: "DELETE" });
    if (isShown(id)) restart("The data of this picture are deleted from the server.");
  }),
);

const pointsOf = ({ points }) =>
  points
    .map(({ x, y, score }) => `${Math.round(100 * x)} %, ${Math.round(100 * y)} % (${score.toFixed(2)})`)
    .join("; ") || "none";

onChange(({ analysis: { id, model, version, image, symmetric }, grid }) => {
  const facts = {
    Size: `${image.width} × ${image.height}, ${image.format}`,
    Map: `${grid.columns} × ${grid.rows} cells${symmetric ? ", nearly symmetric" : ""}`,
    Points: pointsOf(grid),
    Network: model,
    Id: id,
    Version: version,
  };
  byId("facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [
      element("dt", { textContent: name }),
      element("dd", { textContent: value }),
    ]),
  );
});

// ---- the editor, loaded at its first use; the sections for export and reports

let libraryMissing = false;
byId("edit").addEventListener("click", async () => {
  const button = byId("edit"),
    { picture, grid } = state;
  clearError();
  byId("edit-error").hidden = true;
  button.disabled = true;
  try {
    const { LibraryMissing, edit } = await moduleOf("./edit.js");
    const changed = await edit(picture, byId("editor")).catch((error) => {
      libraryMissing = error instanceof LibraryMissing;
      throw error;
    });
    if (changed) await upload(changed.blob, picture.name, { picture, grid, mirrored: changed.mirrored });
  } catch (error) {
    byId("edit-error").hidden = false;
    byId("edit-error").textContent = error.message;
  } finally {
    button.disabled = libraryMissing;
    button.focus();
  }
});

// They are filled when first opened. Their code is loaded with the page: they open even if the server has stopped since.
for (const [id, open] of [
  ["export", openExport],
  ["report", openReport],
])
  byId(id).addEventListener("toggle", () => open(byId(id).lastElementChild), { once: true });
