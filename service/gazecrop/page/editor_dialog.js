/** The editor's dialog and its tools, created once. */
import { mirrored, turned, upsideDown } from "./edits.js";
import { element } from "./state.js";

/** @param {import("./editor.js").Editor} editor the tools call it @returns the elements that it reads or changes */
export function dialogFor(editor) {
  const button = (text, action, properties = {}) => {
    const created = element("button", { type: "button", textContent: text, ...properties });
    created.addEventListener("click", action);
    return created;
  };
  const step = (change) => () => editor.add(change(editor.now));
  const mode = (name, text) =>
    button(text, () => editor.setMode(editor.mode === name ? "move" : name), { id: `edit-${name}` });
  const canvas = element("div", { className: "edit-canvas", tabIndex: 0, role: "application" });
  canvas.ariaLabel =
    "The edited picture. Arrow keys move the text or the crop frame, Shift and arrow keys resize it, Delete removes a text.";
  const colour = element("input", { type: "color", value: "#e8372c", id: "edit-colour" });
  const size = element("input", { type: "range", min: 1, max: 30, value: 6, id: "edit-size" });
  const text = element("input", { id: "edit-text-input", autocomplete: "off" });
  text.addEventListener("keydown", (event) => event.key === "Enter" && editor.placeText());
  const undo = button("Undo", () => editor.go("undo"), { id: "edit-undo" });
  const redo = button("Redo", () => editor.go("redo"), { id: "edit-redo" });
  const cropTools = element(
    "div",
    { className: "tools edit-more", hidden: true },
    "Drag the frame, then ",
    button("Apply crop", () => editor.cut(), { className: "primary", id: "edit-cut" }),
  );
  const textTools = element(
    "div",
    { className: "tools edit-more", hidden: true },
    element("label", {}, "Text ", text),
    button("Place text", () => editor.placeText(), { id: "edit-place-text" }),
  );
  const styleTools = element(
    "div",
    { className: "tools edit-more" },
    element("label", {}, "Colour ", colour),
    element("label", { className: "range" }, "Size ", size),
  );
  for (const input of [colour, size]) input.addEventListener("change", () => editor.applyStyle());
  const dialog = element(
    "dialog",
    { className: "editor", ariaLabel: "Edit the picture" },
    element(
      "div",
      { className: "tools", role: "toolbar" },
      mode("crop", "Crop"),
      button("Rotate", step(turned)),
      button("Mirror ↔", step(mirrored)),
      button("Mirror ↕", step(upsideDown)),
      mode("draw", "Draw"),
      mode("text", "Text"),
      undo,
      redo,
      element(
        "span",
        { className: "edit-end" },
        button("Cancel", () => editor.end(null)),
        button("Analyse", () => editor.end(true), { className: "primary", id: "edit-done" }),
      ),
    ),
    cropTools,
    textTools,
    styleTools,
    element("div", { className: "edit-frame" }, canvas),
  );
  return { dialog, canvas, colour, size, text, undo, redo, cropTools, textTools, styleTools };
}
