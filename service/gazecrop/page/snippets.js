/** Code snippets of the page's crops (curl, JSON, CSS, HTML), and the names and types of exported files. */
import { cropOf, nameOf, serverCropFor, valueOf } from "./answers.js";
import { address, key } from "./api.js";
import { PROFILES, markup, objectPosition } from "./gazecrop.js";
import { state } from "./state.js";

export const stem = () =>
  state.picture.name
    .replace(/\.[^.]*$/, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "") || "picture";
export const ratioSlug = (ratio) => nameOf(ratio).replace(":", "x");
export const EXTENSIONS = { "image/jpeg": "jpg", "image/webp": "webp", "image/png": "png", "image/gif": "gif" };

let webp = null;
/** Safari decodes WebP and cannot encode it: a canvas then gives a PNG. */
const encodesWebp = () =>
  (webp ??= document.createElement("canvas").toDataURL("image/webp").startsWith("data:image/webp"));

/** The media type of exported crops: JPEG, PNG and WebP stay as they are, the rest becomes PNG, which is lossless. */
export function outputType({ blob, name, decodable }) {
  if (blob.type === "image/webp" && decodable && !encodesWebp()) return "image/png";
  if (blob.type === "image/gif") return "image/png"; // browsers do not encode GIF
  return blob.type in EXTENSIONS ? blob.type : /jpe?g$/i.test(name) ? "image/jpeg" : "image/png";
}

const markText = (mark) => [mark.x, mark.y, mark.width, mark.height].map((value) => String(+value.toFixed(4))).join(",");

/** The query string with the page's settings. */
export function query(ratios = state.ratios) {
  const parts = [`ratios=${ratios.join(",")}`];
  if (state.policy !== "auto") parts.push(`policy=${state.policy}`);
  if (state.closer) parts.push(`zoom=auto&fill=${state.fill}`);
  else if (state.zoom !== 1) parts.push(`zoom=${state.zoom}`);
  if (state.protect !== "face,text") parts.push(`protect=${state.protect}`);
  if (state.overlay) parts.push(`overlay=${markText(state.overlay)}`);
  for (const mark of state.constraints) parts.push(`${mark.kind}=${markText(mark)}`);
  return parts.join("&");
}

const rounded = (fraction) => Number(fraction.toFixed(4));
/** `object-fit: cover` can show the crop: it has the full width or the full height. */
const fitsCover = ({ box, whole }) => whole || box.width === state.grid.width || box.height === state.grid.height;

const objectsText = ({ whole, cut, outside }) => ({
  whole,
  cut: cut.map(({ kind, box, score }) => ({ kind, box, score })),
  outside,
});

function json() {
  const { grid, analysis, focus } = state;
  const crops = state.ratios.map((ratio) => {
    const found = cropOf(ratio),
      { box } = found;
    const { confidence, advice, links } = serverCropFor(ratio, found) ?? {};
    return {
      ratio: PROFILES[ratio] ?? ratio,
      ...(ratio in PROFILES && { profile: ratio }),
      box,
      normalized: {
        x: rounded(box.x / grid.width),
        y: rounded(box.y / grid.height),
        width: rounded(box.width / grid.width),
        height: rounded(box.height / grid.height),
      },
      importance_fraction: rounded(found.importance_fraction),
      centre_fraction: rounded(found.centre_fraction),
      gain: rounded(found.gain),
      beats_centre: Math.round(1000 * found.beats_centre) / 1000,
      ...(confidence !== undefined && { confidence }),
      verdict: found.verdict,
      policy: found.policy,
      ...(advice && { advice }),
      ...(found.objects && { objects: objectsText(found.objects) }),
      ...(found.unmet.length && { unmet: found.unmet.map((mark) => ({ parameter: mark.kind, value: markText(mark) })) }),
      ...(fitsCover(found) && { css: { "object-position": objectPosition(grid, box) } }),
      ...(links && { links }),
    };
  });
  return JSON.stringify({ ...analysis, ...(focus && { focus: { ...focus, source: "person" } }), crops }, null, 2);
}

/** A class selector cannot start with a digit (CSS Syntax, section 4.3.9). */
const className = (name) => (/^\d/.test(name) ? `picture-${name}` : name);

function css() {
  const name = className(stem());
  const rules = state.ratios.map((ratio) => {
    const found = cropOf(ratio),
      shape = nameOf(ratio).replace(":", " / ");
    const position = fitsCover(found)
      ? `object-position: ${objectPosition(state.grid, found.box)};`
      : "/* object-position cannot show a zoomed crop */";
    return `.${name}.as-${ratioSlug(ratio).replace(/\./g, "_")} { aspect-ratio: ${shape}; ${position} }`;
  });
  return [`.${name} { width: 100%; object-fit: cover; }`, ...rules].join("\n");
}

/** One source for each shape, from the widest to the tallest; the limits are the geometric means of neighbours. */
function pictureMarkup() {
  const ratios = [...state.ratios].sort((a, b) => valueOf(b) - valueOf(a)),
    extension = EXTENSIONS[outputType(state.picture)];
  const sources = ratios.map((ratio, i) => {
    const { box } = cropOf(ratio),
      file = `${stem()}-${ratioSlug(ratio)}.${extension}`;
    if (i === ratios.length - 1) return [null, file, box.width, box.height];
    const limit = Math.sqrt(valueOf(ratio) * valueOf(ratios[i + 1])).toFixed(3);
    return [`(min-aspect-ratio: ${Math.round(limit * 1000)}/1000)`, file, box.width, box.height];
  });
  return markup(sources);
}

function portable() {
  const { focus, analysis } = state;
  const at = focus ? `\n     data-gazecrop-focus="${focus.x},${focus.y}"` : "";
  return `<!-- one file, no dependencies: copy it from ${address("gazecrop.js")} -->\n<script type="module" src="gazecrop.js"></script>\n\n<img src="${state.picture.name.replace(/"/g, "&quot;")}" alt=""${at}\n     data-gazecrop="${analysis.saliency.encoded}">`;
}

function curl() {
  const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`,
    header = key() ? `-H "Authorization: Bearer $GAZECROP_KEY" ` : "";
  const lines = [
    `curl ${header}--data-binary @${quoted(state.picture.name)} \\\n  ${quoted(address(`v1/images?${query()}`))}`,
    `# the same crops again, without the picture:\ncurl ${header}${quoted(address(`v1/images/${state.analysis.id}/crops?${query()}`))}`,
  ];
  if (state.focus && !state.focusStored)
    lines.push("# Your focus is not saved on the server yet: the server's crops follow it only after that.");
  return lines.join("\n\n");
}

/** Name -> [title, function that makes the text]. */
export const SNIPPETS = {
  curl: ["curl", curl],
  json: ["JSON", json],
  css: ["CSS", css],
  picture: ["<picture>", pictureMarkup],
  portable: ["Map in the page", portable],
};
