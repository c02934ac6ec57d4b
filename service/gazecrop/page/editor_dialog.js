/** The editor's dialog: its tools, made once. */
import { mirrored, turned, upsideDown } from "./edits.js";
import { element } from "./state.js";

/** @param {import("./editor.js").Editor} editor what the tools act on @returns the parts that it changes or reads */
export function dialogFor(editor) {
  const button = (text, doing, more = {}) => {
    const made = element("button", { type: "button", textContent: text, ...more });
    made.addEventListener("click", doing);
    return made;
  };
  const step = (change) => () => editor.add(change(editor.now));
  const mode = (name, text) =>
    button(text, () => editor.setMode(editor.mode === name ? "move" : name), { id: `edit-${name}` });
  const canvas = element("div", { className: "edit-canvas", tabIndex: 0, role: "application" });
  canvas.ariaLabel =
    "The picture under the tools. Arrow keys move the text or the cut, with Shift they size it, Delete takes a text away.";
  const colour = element("input", { type: "color", value: "#e8372c", id: "edit-colour" });
  const size = element("input", { type: "range", min: 1, max: 30, value: 6, id: "edit-size" });
  const text = element("input", { id: "edit-words", autocomplete: "off" });
  text.addEventListener("keydown", (event) => event.key === "Enter" && editor.write());
  const undo = button("Undo", () => editor.go("undo"), { id: "edit-undo" });
  const redo = button("Redo", () => editor.go("redo"), { id: "edit-redo" });
  const cutting = element(
    "div",
    { className: "tools edit-more", hidden: true },
    "Drag the frame, then ",
    button("Cut", () => editor.cut(), { className: "primary", id: "edit-cut" }),
  );
  const writing = element(
    "div",
    { className: "tools edit-more", hidden: true },
    element("label", {}, "Text ", text),
    button("Put it there", () => editor.write(), { id: "edit-write" }),
  );
  const look = element(
    "div",
    { className: "tools edit-more" },
    element("label", {}, "Colour ", colour),
    element("label", { className: "range" }, "Size ", size),
  );
  for (const input of [colour, size]) input.addEventListener("change", () => editor.restyle());
  const dialog = element(
    "dialog",
    { className: "editor", ariaLabel: "Edit the picture" },
    element(
      "div",
      { className: "tools", role: "toolbar" },
      mode("crop", "Crop"),
      button("Turn", step(turned)),
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
        button("Look at this", () => editor.end(true), { className: "primary", id: "edit-done" }),
      ),
    ),
    cutting,
    writing,
    look,
    element("div", { className: "edit-place" }, canvas),
  );
  return { dialog, canvas, colour, size, text, undo, redo, cutting, writing, look };
}
