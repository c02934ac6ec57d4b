/** What a person takes along: the crops as files, the picture with its map, and the words for other programs. */
import { address, call, key } from "./api.js";
import { cropOf, nameOf, toldOf, valueOf } from "./answers.js";
import { PROFILES, objectPosition } from "./gazecrop.js";
import { element, onChange, state } from "./state.js";
import { heatOf, opacity } from "./view.js";
import { zip } from "./zip.js";

const stem = () => state.picture.name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || "picture";
const inName = (ratio) => nameOf(ratio).replace(":", "x");
const KINDS = { "image/jpeg": "jpg", "image/webp": "webp", "image/png": "png" };

/** What is written: JPEG stays JPEG, WebP stays WebP, the rest becomes PNG, which loses nothing. */
const kindOf = (blob) => (blob.type in KINDS ? blob.type : /jpe?g$/i.test(state.picture.name) ? "image/jpeg" : "image/png");

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** One crop as a file, at full size; what this browser cannot decode the server crops. */
async function cropped(ratio) {
  const { picture } = state, { box } = cropOf(ratio), type = kindOf(picture.blob);
  const name = `${stem()}-${inName(ratio)}.${KINDS[type]}`;
  if (!picture.shown) {
    const answer = await call(`v1/crop?${query([ratio]).replace("ratios=", "ratio=")}&format=${type.split("/")[1]}`, { method: "POST", body: picture.blob });
    return { name, blob: await answer.blob() };
  }
  const piece = await createImageBitmap(picture.blob, box.x, box.y, box.width, box.height);
  const canvas = element("canvas", { width: box.width, height: box.height });
  canvas.getContext("2d").drawImage(piece, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, type, 0.92));
  if (!blob) throw new Error("This crop is larger than the browser can write.");
  return { name, blob };
}

/** The picture with map, boxes and points, as it is seen, at most 2000 pixels long. */
async function annotated() {
  const { picture, grid } = state, scale = Math.min(1, 2000 / Math.max(grid.width, grid.height));
  const width = Math.max(1, Math.round(grid.width * scale)), height = Math.max(1, Math.round(grid.height * scale));
  const canvas = element("canvas", { width, height }), c = canvas.getContext("2d");
  c.fillStyle = "#888";
  c.fillRect(0, 0, width, height);
  if (picture.shown) c.drawImage(document.getElementById("picture"), 0, 0, width, height);
  c.globalAlpha = opacity();
  c.imageSmoothingQuality = "high";
  c.drawImage(heatOf(grid), 0, 0, width, height);
  c.globalAlpha = 1;
  const unit = Math.max(width, height) / 100;
  const line = (thick, colour, dash = []) => (c.setLineDash(dash), (c.lineWidth = thick), (c.strokeStyle = colour));
  const twice = (drawing, dash) => (line(0.55 * unit, "#000a"), drawing(), line(0.3 * unit, "#fff", dash), drawing());
  c.font = `600 ${2 * unit}px system-ui, sans-serif`;
  c.textBaseline = "top";
  for (const ratio of new Set([...state.ratios, state.ratio])) {
    const { box } = cropOf(ratio), [x, y, w, h] = [box.x, box.y, box.width, box.height].map((value) => value * scale);
    twice(() => c.strokeRect(x, y, w, h), ratio === state.ratio ? [] : [unit, unit]);
    line(0.5 * unit, "#000c");
    c.fillStyle = "#fff";
    c.strokeText(nameOf(ratio), x + unit, y + unit);
    c.fillText(nameOf(ratio), x + unit, y + unit);
  }
  for (const { x, y, score } of grid.points) {
    c.beginPath();
    c.arc(x * width, y * height, 0.5 * unit + unit * score, 0, 7);
    twice(() => c.stroke(), []);
  }
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return { name: `${stem()}-gazecrop.png`, blob };
}

// ---- words for other programs

const written = (mark) => [mark.x, mark.y, mark.width, mark.height].map((value) => String(+value.toFixed(4))).join(",");

/** The query of this very request. */
function query(ratios = state.ratios) {
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
    const found = cropOf(ratio), { box } = found;
    const { confidence, advice, links } = toldOf(ratio, found) ?? {};
    return {
      ratio: PROFILES[ratio] ?? ratio,
      ...(ratio in PROFILES && { profile: ratio }),
      box,
      normalized: { x: part(box.x / grid.width), y: part(box.y / grid.height), width: part(box.width / grid.width), height: part(box.height / grid.height) },
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

function css() {
  const rules = state.ratios.map((ratio) => {
    const found = cropOf(ratio), shape = nameOf(ratio).replace(":", " / ");
    const how = slides(found) ? `object-position: ${objectPosition(state.grid, found.box)};` : "/* a zoomed crop is more than object-position can show */";
    return `.${stem()}.as-${inName(ratio).replace(/\./g, "_")} { aspect-ratio: ${shape}; ${how} }`;
  });
  return [`.${stem()} { width: 100%; object-fit: cover; }`, ...rules].join("\n");
}

/** One source for every shape: from the widest to the tallest, changing half-way between two neighbours. */
function pictureMarkup() {
  const ratios = [...state.ratios].sort((a, b) => valueOf(b) - valueOf(a)), kind = KINDS[kindOf(state.picture.blob)];
  const lines = ratios.map((ratio, i) => {
    const { box } = cropOf(ratio), file = `${stem()}-${inName(ratio)}.${kind}`, size = `width="${box.width}" height="${box.height}"`;
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
  const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`, head = key() ? `-H "Authorization: Bearer $GAZECROP_KEY" ` : "";
  const lines = [`curl ${head}--data-binary @${quoted(state.picture.name)} \\\n  ${quoted(address(`v1/images?${query()}`))}`,
    `# the same crops again, without the picture:\ncurl ${head}${quoted(address(`v1/images/${state.document.id}/crops?${query()}`))}`];
  if (state.focus && !state.kept) lines.push("# Your focus is not kept yet: keep it first, then the server follows it too.");
  return lines.join("\n\n");
}

const WORDS = { curl: ["curl", curl], json: ["JSON", json], css: ["CSS", css], picture: ["<picture>", pictureMarkup], portable: ["Map in the page", portable] };

/** Fills the section when it is opened for the first time. @param {HTMLElement} place */
export function open(place) {
  const wrong = element("p", { role: "alert" });
  const button = (text, doing) => {
    const made = element("button", { type: "button", textContent: text });
    made.addEventListener("click", async () => {
      made.disabled = true;
      wrong.textContent = "";
      try {
        await doing();
      } catch (error) {
        wrong.textContent = error.message;
      } finally {
        made.disabled = false;
        made.focus();
      }
    });
    return made;
  };
  const files = element("div", { className: "tools start-tools" },
    button("This crop", async () => {
      const { name, blob } = await cropped(state.ratio);
      save(blob, name);
    }),
    button("All crops, as a ZIP", async () => {
      const files = []; // one after the other: sixteen crops of twenty megapixels at once would be 1.3 GB
      for (const ratio of state.ratios) files.push(await cropped(ratio));
      save(await zip(files), `${stem()}-crops.zip`);
    }),
    button("Picture with map and boxes", async () => {
      const { name, blob } = await annotated();
      save(blob, name);
    }));
  const text = element("pre", { tabIndex: 0, id: "words" });
  text.ariaLabel = "Text to copy";
  const choices = Object.entries(WORDS).map(([name, [title]], i) => {
    const radio = element("input", { type: "radio", name: "words", value: name, checked: !i });
    radio.addEventListener("input", () => write());
    return element("label", {}, radio, element("span", { textContent: title }));
  });
  const chosen = () => place.querySelector("input[name=words]:checked").value;
  const write = () => place.parentElement.open && (text.textContent = WORDS[chosen()][1]());
  const copy = button("Copy", async () => {
    await navigator.clipboard.writeText(text.textContent);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  place.replaceChildren(files, wrong,
    element("fieldset", { className: "choice wrap" }, element("legend", { className: "unseen", textContent: "As text" }), ...choices), text, copy);
  write();
  onChange(write);
  place.parentElement.addEventListener("toggle", write);
}
