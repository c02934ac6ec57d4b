/** The way into the editor: loads what it needs, opens it, gives back the edited picture as a file. */
import { Editor } from "./editor.js";
import { element } from "./state.js";

/** Loads what the editor needs. Throws when the set-up did not bring it. */
function needed() {
  const load = (made) =>
    new Promise((done, failed) => {
      made.onload = done;
      made.onerror = () =>
        failed(
          new Error("Edit is off: this server was set up without the drawing library (konva). Everything else works."),
        );
      document.head.append(made);
    });
  return Promise.all([
    globalThis.Konva ?? load(element("script", { src: "vendor/konva.min.js" })),
    document.querySelector("link[href='edit.css']") ?? load(element("link", { rel: "stylesheet", href: "edit.css" })),
  ]);
}

/**
 * Opens the editor. @param {import("./state.js").Picture} picture @param {HTMLElement} place
 * @returns {Promise<{blob: Blob, mirrored: boolean}|null>} null when the person gave up
 */
export async function edit(picture, place) {
  await needed();
  const image = new Image();
  image.src = URL.createObjectURL(picture.blob);
  await image.decode();
  const editor = new Editor(image, place);
  try {
    const changed = await editor.run();
    if (!changed) return null;
    const type = picture.blob.type === "image/jpeg" ? "image/jpeg" : "image/png";
    const blob = await new Promise((done) => changed.canvas.toBlob(done, type, 0.92));
    return { blob, mirrored: changed.mirrored };
  } finally {
    editor.close();
    URL.revokeObjectURL(image.src);
  }
}
