/** The crops that are set on the page in words for other programs: curl, JSON, CSS, HTML. */
import { cropOf, nameOf, toldOf, valueOf } from "./answers.js";
import { address, key } from "./api.js";
import { PROFILES, objectPosition } from "./gazecrop.js";
import { state } from "./state.js";

export const stem = () =>
  state.picture.name
    .replace(/\.[^.]*$/, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "") || "picture";
export const inName = (ratio) => nameOf(ratio).replace(":", "x");
export const KINDS = { "image/jpeg": "jpg", "image/webp": "webp", "image/png": "png" };

/** What is written: JPEG stays JPEG, WebP stays WebP, the rest becomes PNG, which loses nothing. */
export const kindOf = (blob) =>
  blob.type in KINDS ? blob.type : /jpe?g$/i.test(state.picture.name) ? "image/jpeg" : "image/png";

const written = (mark) => [mark.x, mark.y, mark.width, mark.height].map((value) => String(+value.toFixed(4))).join(",");

/** The query of this very request. */
export function query(ratios = state.ratios) {
  const parts = [`ratios=${ratios.join(",")}`];
  if (state.policy !== "auto") parts.push(`policy=${state.policy}`);
  if (state.zoom !== 1) parts.push(`zoom=${state.zoom}`);
  for (const mark of state.constraints) parts.push(`${mark.kind}=${written(mark)}`);
  return parts.join("&");
}

const part = (share) => Number(share.toFixed(4));
const slides = ({ box, whole }) => whole || box.width === state.grid.width || box.height === state.grid.height;

function json() {
  const { grid, document: answer, focus } = state;
  const crops = state.ratios.map((ratio) => {
    const found = cropOf(ratio),
      { box } = found;
    const { confidence, advice, links } = toldOf(ratio, found) ?? {};
    return {
      ratio: PROFILES[ratio] ?? ratio,
      ...(ratio in PROFILES && { profile: ratio }),
      box,
      normalized: {
        x: part(box.x / grid.width),
        y: part(box.y / grid.height),
        width: part(box.width / grid.width),
        height: part(box.height / grid.height),
      },
      importance_fraction: part(found.importance_fraction),
      ...(confidence !== undefined && { confidence }),
      verdict: found.verdict,
      policy: found.policy,
      ...(advice && { advice }),
      ...(found.unmet.length && { unmet: found.unmet.map((mark) => ({ parameter: mark.kind, value: written(mark) })) }),
      ...(slides(found) && { css: { "object-position": objectPosition(grid, box) } }),
      ...(links && { links }),
    };
  });
  return JSON.stringify({ ...answer, ...(focus && { focus: { ...focus, source: "person" } }), crops }, null, 2);
}

/** A class may not begin with a digit (CSS Syntax, section 4.3.9). */
const className = (name) => (/^\d/.test(name) ? `picture-${name}` : name);

function css() {
  const name = className(stem());
  const rules = state.ratios.map((ratio) => {
    const found = cropOf(ratio),
      shape = nameOf(ratio).replace(":", " / ");
    const how = slides(found)
      ? `object-position: ${objectPosition(state.grid, found.box)};`
      : "/* a zoomed crop is more than object-position can show */";
    return `.${name}.as-${inName(ratio).replace(/\./g, "_")} { aspect-ratio: ${shape}; ${how} }`;
  });
  return [`.${name} { width: 100%; object-fit: cover; }`, ...rules].join("\n");
}

/** One source for every shape: from the widest to the tallest, changing half-way between two neighbours. */
function pictureMarkup() {
  const ratios = [...state.ratios].sort((a, b) => valueOf(b) - valueOf(a)),
    kind = KINDS[kindOf(state.picture.blob)];
  const lines = ratios.map((ratio, i) => {
    const { box } = cropOf(ratio),
      file = `${stem()}-${inName(ratio)}.${kind}`,
      size = `width="${box.width}" height="${box.height}"`;
    if (i === ratios.length - 1) return `  <img src="${file}" ${size} alt="">`;
    const change = Math.sqrt(valueOf(ratio) * valueOf(ratios[i + 1])).toFixed(3);
    return `  <source media="(min-aspect-ratio: ${Math.round(change * 1000)}/1000)" srcset="${file}" ${size}>`;
  });
  return ["<picture>", ...lines, "</picture>"].join("\n");
}

function portable() {
  const { focus, document: answer } = state;
  const at = focus ? `\n     data-gazecrop-focus="${focus.x},${focus.y}"` : "";
  return `<!-- one file, no dependencies: copy it from ${address("gazecrop.js")} -->\n<script type="module" src="gazecrop.js"></script>\n\n<img src="${state.picture.name.replace(/"/g, "&quot;")}" alt=""${at}\n     data-gazecrop="${answer.saliency.encoded}">`;
}

function curl() {
  const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`,
    head = key() ? `-H "Authorization: Bearer $GAZECROP_KEY" ` : "";
  const lines = [
    `curl ${head}--data-binary @${quoted(state.picture.name)} \\\n  ${quoted(address(`v1/images?${query()}`))}`,
    `# the same crops again, without the picture:\ncurl ${head}${quoted(address(`v1/images/${state.document.id}/crops?${query()}`))}`,
  ];
  if (state.focus && !state.kept)
    lines.push("# Your focus is not kept yet: keep it first, then the server follows it too.");
  return lines.join("\n\n");
}

export const WORDS = {
  curl: ["curl", curl],
  json: ["JSON", json],
  css: ["CSS", css],
  picture: ["<picture>", pictureMarkup],
  portable: ["Map in the page", portable],
};
