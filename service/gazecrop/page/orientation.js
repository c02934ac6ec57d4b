/**
 * The orientation of WebP pictures. Browsers apply the EXIF orientation of JPEG, PNG and AVIF files when they decode
 * them. Chromium 156 does not apply it for WebP, but the server does: the picture and its map would not match.
 */

/** 2 x 1 pixels with EXIF orientation 6: decoded as 1 x 2 by a browser that applies it. */
const PROBE =
  "data:image/webp;base64,UklGRk4AAABXRUJQVlA4WAoAAAAIAAAAAQAAAAAAVlA4TA4AAAAvAQAAAAcQEf0PRET/A0VYSUYaAAAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA=";

/** EXIF orientation -> matrix (a, b, c, d, e, f) of a canvas for a decoded picture of width x height pixels. */
const MATRICES = {
  1: () => [1, 0, 0, 1, 0, 0],
  2: (width) => [-1, 0, 0, 1, width, 0],
  3: (width, height) => [-1, 0, 0, -1, width, height],
  4: (width, height) => [1, 0, 0, -1, 0, height],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (width, height) => [0, 1, -1, 0, height, 0],
  7: (width, height) => [0, -1, -1, 0, height, width],
  8: (width) => [0, -1, 1, 0, 0, width],
};

const text = (view, at, length) =>
  String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, Math.min(length, view.byteLength - at)));

/**
 * Tag 0x0112 in the first IFD of EXIF data (EXIF 3.0, section 4.6.5), 1 to 8. Like the server it takes 1 where the tag
 * is missing or the data are damaged. @param {DataView} exif
 */
function exifOrientation(exif) {
  const start = text(exif, 0, 6) === "Exif\0\0" ? 6 : 0,
    order = text(exif, start, 2),
    little = order === "II";
  if (!little && order !== "MM") return 1;
  try {
    const first = start + exif.getUint32(start + 4, little);
    for (let i = 0, at = first + 2; i < exif.getUint16(first, little); i++, at += 12)
      if (exif.getUint16(at, little) === 0x0112) {
        const value = exif.getUint16(at + 8, little);
        return value in MATRICES ? value : 1;
      }
  } catch {
    // an offset outside of the data
  }
  return 1;
}

/** The orientation in the EXIF chunk of a WebP file (RFC 9649, section 2.7). @param {DataView} file */
function webpOrientation(file) {
  let orientation = 1;
  for (let at = 12; at + 8 <= file.byteLength; ) {
    const length = file.getUint32(at + 4, true);
    if (text(file, at, 4) === "EXIF")
      orientation = exifOrientation(new DataView(file.buffer, at + 8, Math.min(length, file.byteLength - at - 8)));
    at += 8 + length + (length % 2);
  }
  return orientation;
}

let ignored = null; // a promise: this browser ignores the orientation of WebP files
async function browserIgnoresIt() {
  const image = new Image();
  image.src = PROBE;
  await image.decode();
  return image.naturalWidth === 2;
}

/** The orientation that has to be applied after this browser has decoded a file. @param {Blob} blob */
export async function remainingOrientation(blob) {
  try {
    const head = new DataView(await blob.slice(0, 12).arrayBuffer());
    if (text(head, 0, 4) !== "RIFF" || text(head, 8, 4) !== "WEBP") return 1;
    const orientation = webpOrientation(new DataView(await blob.arrayBuffer()));
    return orientation > 1 && (await (ignored ??= browserIgnoresIt())) ? orientation : 1;
  } catch {
    return 1; // the file can no longer be read
  }
}

const sizeOf = (image) => ({ width: image.naturalWidth ?? image.width, height: image.naturalHeight ?? image.height });

/** @param {HTMLImageElement|ImageBitmap} image @param {number} orientation */
export function uprightSize(image, orientation) {
  const { width, height } = sizeOf(image);
  return orientation > 4 ? { width: height, height: width } : { width, height };
}

/** Draws a decoded image upright with its corner at (0, 0). @param {CanvasRenderingContext2D} context */
export function drawUpright(context, image, orientation) {
  const { width, height } = sizeOf(image);
  context.save();
  context.transform(...MATRICES[orientation](width, height));
  context.drawImage(image, 0, 0);
  context.restore();
}
