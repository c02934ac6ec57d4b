/** What can be done with a picture that was looked at: keep its focus, edit, take away, report, forget. */
import "./view.js";
import "./crops.js";
import "./marks.js";
import "./compare.js";
import { call } from "./api.js";
import { crop, decode } from "./gazecrop.js";
import { attempt, calm, fail, restart, say, take } from "./page.js";
import { open as openReport } from "./report.js";
import { byId, element, onChange, state, update } from "./state.js";
import { open as openTakeaway } from "./takeaway.js";

/** @param {any} answered the document @param {import("./state.js").Picture} picture @param {{mirrored: boolean}|null} edited */
export async function show(answered, picture, edited) {
  const grid = decode(answered.saliency.encoded);
  const before = edited && state.grid ? { picture: state.picture, grid: state.grid, ...edited } : null;
  for (const old of [state.before?.picture, before ? null : state.picture]) if (old) URL.revokeObjectURL(old.url);
  const person = answered.focus.source === "person" ? { x: answered.focus.x, y: answered.focus.y } : null;
  // The first shape shown is one that cuts something.
  const ratio = crop(grid, state.ratio).whole ? (grid.width > grid.height * 1.4 ? "square" : "desktop") : state.ratio;
  update({
    ratio,
    picture,
    document: answered,
    grid,
    focus: person,
    kept: Boolean(person),
    tag: null,
    constraints: [],
    before,
  });
  byId("result-title").focus({ preventScroll: true });
  if (person) update({ tag: (await call(`v1/images/${answered.id}/focus`)).headers.get("ETag") });
}

// ---- the focus that is kept, and forgetting

const focusPath = () => `v1/images/${state.document.id}/focus`;

byId("focus-keep").addEventListener("click", () =>
  attempt(async () => {
    const {
      focus,
      tag,
      document: { id },
    } = state;
    const guard = tag ? { "If-Match": tag } : { "If-None-Match": "*" };
    try {
      const answer = await call(focusPath(), {
        method: "PUT",
        body: JSON.stringify(focus),
        headers: { "Content-Type": "application/json", ...guard },
      });
      if (state.document?.id === id) update({ kept: state.focus === focus, tag: answer.headers.get("ETag") });
      say("The focus is kept.");
    } catch (error) {
      if (error.status !== 412) throw error;
      const theirs = await call(focusPath()),
        { x, y } = await theirs.json();
      update({ focus: { x, y }, kept: true, tag: theirs.headers.get("ETag") });
      fail(
        new Error(
          "Somebody else moved this focus meanwhile. Theirs is shown now; move it and keep yours if you still want to.",
        ),
      );
    }
  }),
);

byId("focus-drop").addEventListener("click", () =>
  attempt(async () => {
    if (state.tag) await call(focusPath(), { method: "DELETE", headers: { "If-Match": state.tag } });
    const [point] = state.grid.points;
    update({
      focus: null,
      kept: false,
      tag: null,
      document: { ...state.document, focus: { x: point?.x ?? 0.5, y: point?.y ?? 0.5, source: "model" } },
    });
    byId("focus").focus();
  }),
);

byId("forget").addEventListener("click", () =>
  attempt(async () => {
    await call(`v1/images/${state.document.id}`, { method: "DELETE" });
    restart("Forgotten: its map and its focus are deleted.");
  }),
);

const pointsOf = ({ points }) =>
  points
    .map(({ x, y, score }) => `${Math.round(100 * x)} %, ${Math.round(100 * y)} % (${score.toFixed(2)})`)
    .join("; ") || "none";

onChange(({ document: { id, model, version, image, symmetric }, grid }) => {
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

// ---- the editor, which alone is loaded when it is asked for, and what else can be done

byId("edit").addEventListener("click", async () => {
  const button = byId("edit"),
    { picture } = state;
  calm();
  button.disabled = true;
  try {
    const { edit } = await import("./edit.js");
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

// They are filled when they are opened; the code is here already, so that a server that went away since hurts nobody.
for (const [id, open] of [
  ["takeaway", openTakeaway],
  ["report", openReport],
])
  byId(id).addEventListener("toggle", () => open(byId(id).lastElementChild), { once: true });
