/** Opens the editor: loads its library and style sheet, and returns the edited picture as a file. */
import { Editor } from "./editor.js";
import { element } from "./state.js";

/** Loads the library and the style sheet. Rejects when set-up could not install the library. */
function loadLibrary() {
  const load = (tag) =>
    new Promise((done, failed) => {
      tag.onload = done;
      tag.onerror = () =>
        failed(
          new Error(
            "The editor is not available: this server was set up without its drawing library (Konva). Everything else works.",
          ),
        );
      document.head.append(tag);
    });
  return Promise.all([
    globalThis.Konva ?? load(element("script", { src: "vendor/konva.min.js" })),
    document.querySelector("link[href='edit.css']") ?? load(element("link", { rel: "stylesheet", href: "edit.css" })),
  ]);
}

/**
 * Opens the editor. @param {import("./state.js").Picture} picture @param {HTMLElement} container
 * @returns {Promise<{blob: Blob, mirrored: boolean}|null>} null: cancelled
 */
export async function edit(picture, container) {
  await loadLibrary();
  const image = new Image();
  image.src = URL.createObjectURL(picture.blob);
  await image.decode();
  const editor = new Editor(image, container);
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
