/** Decodes a picture in the browser, upright, for display. */
import { drawUpright, remainingOrientation, uprightSize } from "./orientation.js";
import { element } from "./state.js";

const MAX_SIDE = 1600; // of the displayed copy, in pixels

/** @param {Blob} blob @param {string} name @returns {Promise<import("./state.js").Picture>} */
export async function previewOf(blob, name) {
  const url = URL.createObjectURL(blob),
    image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return { blob, name, url, decodable: false, orientation: 1, width: 0, height: 0 };
  }
  const orientation = await remainingOrientation(blob),
    { width, height } = uprightSize(image, orientation),
    picture = { blob, name, url, decodable: true, orientation, width, height };
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  if (scale === 1 && orientation === 1) return picture;
  const canvas = element("canvas", { width: Math.round(width * scale) || 1, height: Math.round(height * scale) || 1 }),
    context = canvas.getContext("2d");
  context.scale(canvas.width / width, canvas.height / height);
  drawUpright(context, image, orientation);
  const copy = await new Promise((done) =>
    canvas.toBlob(done, blob.type === "image/jpeg" ? "image/jpeg" : "image/png", 0.9),
  );
  URL.revokeObjectURL(url);
  return { ...picture, url: URL.createObjectURL(copy) };
}

/**
 * The picture with its file as the displayed copy: an animation moves only there, not on a canvas. One that this browser
 * does not turn as the server does stays a still. @param {import("./state.js").Picture} picture
 */
export function moving(picture) {
  if (!picture.decodable || picture.orientation !== 1) return picture;
  URL.revokeObjectURL(picture.url);
  return { ...picture, url: URL.createObjectURL(picture.blob) };
}

/** Whether a preview has the aspect ratio of the picture that the server analysed, within 2 %. */
export const matches = ({ width, height }, analysed) =>
  Math.abs(Math.log((width * analysed.height) / (height * analysed.width))) < 0.02;
