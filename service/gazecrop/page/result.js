/** The result view: shows an analysis, and its actions: save a focus, edit, export, report, delete. */
import "./view.js";
import "./crops.js";
import "./marks.js";
import "./compare.js";
import { call } from "./api.js";
import { crop, decode } from "./gazecrop.js";
import { attempt, clearError, restart, setStatus, showError, upload } from "./page.js";
import { open as openExport } from "./export.js";
import { open as openReport } from "./report.js";
import { byId, element, onChange, state, update } from "./state.js";

/** @param {any} analysis @param {import("./state.js").Picture} picture @param {{mirrored: boolean}|null} edited */
export async function show(analysis, picture, edited) {
  const grid = decode(analysis.saliency.encoded);
  const before = edited && state.grid ? { picture: state.picture, grid: state.grid, ...edited } : null;
  for (const old of [state.before?.picture, before ? null : state.picture]) if (old) URL.revokeObjectURL(old.url);
  const focus = analysis.focus.source === "person" ? { x: analysis.focus.x, y: analysis.focus.y } : null;
  // The first shape is one that crops something.
  const ratio = crop(grid, state.ratio).whole ? (grid.width > grid.height * 1.4 ? "square" : "desktop") : state.ratio;
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
  if (focus) update({ focusTag: (await call(`v1/images/${analysis.id}/focus`)).headers.get("ETag") });
}

// ---- storing the focus, and deleting

const focusPath = () => `v1/images/${state.analysis.id}/focus`;

byId("focus-save").addEventListener("click", () =>
  attempt(async () => {
    const {
      focus,
      focusTag,
      analysis: { id },
    } = state;
    const precondition = focusTag ? { "If-Match": focusTag } : { "If-None-Match": "*" };
    try {
      const answer = await call(focusPath(), {
        method: "PUT",
        body: JSON.stringify(focus),
        headers: { "Content-Type": "application/json", ...precondition },
      });
      if (state.analysis?.id === id)
        update({ focusStored: state.focus === focus, focusTag: answer.headers.get("ETag") });
      setStatus("The focus is saved.");
    } catch (error) {
      if (error.status !== 412) throw error;
      const stored = await call(focusPath()),
        { x, y } = await stored.json();
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
    if (state.focusTag) await call(focusPath(), { method: "DELETE", headers: { "If-Match": state.focusTag } });
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
    await call(`v1/images/${state.analysis.id}`, { method: "DELETE" });
    restart("The data of this picture are deleted from the server.");
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

byId("edit").addEventListener("click", async () => {
  const button = byId("edit"),
    { picture } = state;
  clearError();
  button.disabled = true;
  try {
    const { edit } = await import("./edit.js");
    const changed = await edit(picture, byId("editor"));
    if (changed) await upload(changed.blob, picture.name, { mirrored: changed.mirrored });
  } catch (error) {
    byId("edit-error").hidden = false;
    byId("edit-error").textContent = error.message;
  } finally {
    button.disabled = !byId("edit-error").hidden;
    button.focus();
  }
});

// They are filled when first opened. Their code is loaded with the page: they open even if the server has stopped since.
for (const [id, open] of [
  ["export", openExport],
  ["report", openReport],
])
  byId(id).addEventListener("toggle", () => open(byId(id).lastElementChild), { once: true });
