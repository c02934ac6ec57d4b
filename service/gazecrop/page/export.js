/** The export section: the crops as files, the picture with its map, and code snippets. */
import { cropOf, nameOf } from "./answers.js";
import { call } from "./api.js";
import { drawUpright } from "./orientation.js";
import { element, onChange, state } from "./state.js";
import { EXTENSIONS, SNIPPETS, outputType, query, ratioSlug, stem } from "./snippets.js";
import { heatMapOf, opacity } from "./view.js";
import { zip } from "./zip.js";

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** What `cropped` needs, read from the state at once: the user may change the picture while crops are encoded. */
const jobFor = (ratio) => ({
  picture: state.picture,
  box: cropOf(ratio).box,
  type: outputType(state.picture),
  animated: state.analysis.image.animated ?? false,
  name: `${stem()}-${ratioSlug(ratio)}`,
  query: query([ratio]).replace("ratios=", "ratio="),
});

/** One crop as a file, at full size. The server crops animations, and the formats that this browser cannot decode. */
async function cropped({ picture, box, type, animated, name, query }) {
  if (animated) type = picture.blob.type === "image/gif" ? "image/gif" : "image/webp";
  const blob =
    picture.decodable && !animated
      ? await encoded(await cut(picture, box), type)
      : await serverCrop(picture, `${query}&format=${type.split("/")[1]}`);
  return { name: `${name}.${EXTENSIONS[blob.type]}`, blob };
}

const serverCrop = async ({ blob }, query) => (await call(`v1/crop?${query}`, { method: "POST", body: blob })).blob();

/**
 * Cuts a box out of the upright picture. createImageBitmap with a rectangle is not used: Chromium 156 takes the wrong
 * rectangle from files of EXIF orientation 6 and 8, as phones write them.
 * @param {import("./state.js").Picture} picture @param {import("./gazecrop.js").Box} box
 */
async function cut({ blob, orientation }, { x, y, width, height }) {
  const canvas = element("canvas", { width, height }),
    context = canvas.getContext("2d"),
    image = new Image();
  image.src = URL.createObjectURL(blob);
  try {
    await image.decode();
  } catch {
    throw new Error("The picture file can no longer be read.");
  } finally {
    URL.revokeObjectURL(image.src);
  }
  context.translate(-x, -y);
  drawUpright(context, image, orientation);
  return canvas;
}

/** A canvas as a file. Browsers that cannot encode `type` make a PNG: the result's own type is that of the file. */
async function encoded(canvas, type) {
  const blob = await new Promise((done) => canvas.toBlob(done, type, 0.92));
  if (!blob) throw new Error("This crop is larger than this browser can encode.");
  return blob;
}

/** The picture with map, boxes and points as a PNG; its longer side is at most 2000 pixels. */
async function annotated() {
  const { picture, grid } = state,
    name = `${stem()}-gazecrop.png`,
    scale = Math.min(1, 2000 / Math.max(grid.width, grid.height));
  const width = Math.max(1, Math.round(grid.width * scale)),
    height = Math.max(1, Math.round(grid.height * scale));
  const canvas = element("canvas", { width, height }),
    c = canvas.getContext("2d");
  c.fillStyle = "#888";
  c.fillRect(0, 0, width, height);
  if (picture.decodable) c.drawImage(document.getElementById("picture"), 0, 0, width, height);
  c.globalAlpha = opacity();
  c.imageSmoothingQuality = "high";
  c.drawImage(heatMapOf(grid), 0, 0, width, height);
  c.globalAlpha = 1;
  const unit = Math.max(width, height) / 100;
  const line = (thick, colour, dash = []) => (c.setLineDash(dash), (c.lineWidth = thick), (c.strokeStyle = colour));
  const outlined = (draw, dash) => (line(0.55 * unit, "#000a"), draw(), line(0.3 * unit, "#fff", dash), draw());
  c.font = `600 ${2 * unit}px system-ui, sans-serif`;
  c.textBaseline = "top";
  const labels = []; // those of boxes that share a corner are placed one below the other
  for (const ratio of new Set([...state.ratios, state.ratio])) {
    const { box } = cropOf(ratio),
      [x, y, w, h] = [box.x, box.y, box.width, box.height].map((value) => value * scale);
    outlined(() => c.strokeRect(x, y, w, h), ratio === state.ratio ? [] : [unit, unit]);
    const wide = c.measureText(nameOf(ratio)).width + unit;
    let top = y + unit;
    while (labels.some((n) => Math.abs(n.x - x) < Math.max(wide, n.wide) && Math.abs(n.top - top) < 2.5 * unit))
      top += 2.5 * unit;
    labels.push({ ratio, x, top, wide });
  }
  line(0.5 * unit, "#000c");
  c.fillStyle = "#fff";
  for (const { ratio, x, top } of labels) {
    c.strokeText(nameOf(ratio), x + unit, top);
    c.fillText(nameOf(ratio), x + unit, top);
  }
  for (const { x, y, score } of grid.points) {
    c.beginPath();
    c.arc(x * width, y * height, 0.5 * unit + unit * score, 0, 7);
    outlined(() => c.stroke(), []);
  }
  return { name, blob: await encoded(canvas, "image/png") };
}

/** Fills the section when it is opened for the first time. @param {HTMLElement} section */
export function open(section) {
  const alert = element("p", { role: "alert" });
  const buttonFor = (text, action) => {
    const button = element("button", { type: "button", textContent: text });
    button.addEventListener("click", async () => {
      button.disabled = true;
      alert.textContent = "";
      try {
        await action();
      } catch (error) {
        alert.textContent = error.message;
      } finally {
        button.disabled = false;
        button.focus();
      }
    });
    return button;
  };
  const files = element(
    "div",
    { className: "tools start-tools" },
    buttonFor("This crop", async () => {
      const { name, blob } = await cropped(jobFor(state.ratio));
      save(blob, name);
    }),
    buttonFor("All crops, as a ZIP", async () => {
      const name = `${stem()}-crops.zip`,
        jobs = state.ratios.map(jobFor),
        files = [];
      for (const job of jobs) files.push(await cropped(job)); // in turn: 16 crops of 20 megapixels at once take 1.3 GB
      save(await zip(files), name);
    }),
    buttonFor("Picture with map and boxes", async () => {
      const { name, blob } = await annotated();
      save(blob, name);
    }),
  );
  const text = element("pre", { tabIndex: 0, id: "snippet" });
  text.ariaLabel = "Code snippet";
  const choices = Object.entries(SNIPPETS).map(([name, [title]], i) => {
    const radio = element("input", { type: "radio", name: "snippet", value: name, checked: !i });
    radio.addEventListener("input", () => showSnippet());
    return element("label", {}, radio, element("span", { textContent: title }));
  });
  const selected = () => section.querySelector("input[name=snippet]:checked").value;
  const showSnippet = () => section.parentElement.open && (text.textContent = SNIPPETS[selected()][1]());
  const copy = buttonFor("Copy", async () => {
    if (!navigator.clipboard) {
      getSelection().selectAllChildren(text); // browsers have no clipboard interface for pages over plain HTTP
      throw new Error(
        "Browsers let a page copy only over HTTPS. The text is selected: copy it with Ctrl+C or ⌘C.",
      );
    }
    await navigator.clipboard.writeText(text.textContent);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  section.replaceChildren(
    files,
    alert,
    element(
      "fieldset",
      { className: "choice wrap" },
      element("legend", { className: "visually-hidden", textContent: "Code snippet" }),
      ...choices,
    ),
    text,
    copy,
  );
  showSnippet();
  onChange(showSnippet);
  section.parentElement.addEventListener("toggle", showSnippet);
}
