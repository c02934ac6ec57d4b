/** Opens the editor: loads its library and style sheet, and returns the edited picture as a file. */
import { Editor } from "./editor.js";
import { drawUpright, uprightSize } from "./orientation.js";
import { element } from "./state.js";

/** Set-up could not install the drawing library: no picture can be edited. */
export class LibraryMissing extends Error {}

/** Loads the library and the style sheet. */
function loadLibrary() {
  const load = (tag) =>
    new Promise((done, failed) => {
      tag.onload = done;
      tag.onerror = () => {
        tag.remove(); // the next call loads it again
        failed(
          new LibraryMissing(
            "The editor is not available: this server was set up without its drawing library (Konva). Everything else works.",
          ),
        );
      };
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
  if (!picture.decodable) throw new Error("Your browser cannot show this picture correctly, so it cannot edit it.");
  const image = new Image();
  image.src = URL.createObjectURL(picture.blob);
  let editor = null;
  try {
    await image.decode().catch(() => {
      throw new Error("The picture file can no longer be read, so it cannot be edited.");
    });
    editor = new Editor(uprightImage(image, picture.orientation), container);
    const changed = await editor.run();
    if (!changed) return null;
    const type = picture.blob.type === "image/jpeg" ? "image/jpeg" : "image/png";
    const blob = await new Promise((done) => changed.canvas.toBlob(done, type, 0.92));
    if (!blob) throw new Error("The edited picture is larger than this browser can encode.");
    return { blob, mirrored: changed.mirrored };
  } finally {
    editor?.close();
    URL.revokeObjectURL(image.src);
  }
}

/** @returns {HTMLImageElement|HTMLCanvasElement} */
function uprightImage(image, orientation) {
  if (orientation === 1) return image;
  const canvas = element("canvas", uprightSize(image, orientation));
  drawUpright(canvas.getContext("2d"), image, orientation);
  return canvas;
}
