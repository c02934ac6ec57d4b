/** What a person takes along: the crops as files, the picture with its map, and the words for other programs. */
import { cropOf, nameOf } from "./answers.js";
import { call } from "./api.js";
import { element, onChange, state } from "./state.js";
import { heatOf, opacity } from "./view.js";
import { KINDS, WORDS, inName, kindOf, query, stem } from "./words.js";
import { zip } from "./zip.js";

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** One crop as a file, at full size; what this browser cannot decode the server crops. */
async function cropped(ratio) {
  const { picture } = state,
    { box } = cropOf(ratio),
    type = kindOf(picture.blob);
  const name = `${stem()}-${inName(ratio)}.${KINDS[type]}`;
  if (!picture.shown) {
    const answer = await call(`v1/crop?${query([ratio]).replace("ratios=", "ratio=")}&format=${type.split("/")[1]}`, {
      method: "POST",
      body: picture.blob,
    });
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
  const { picture, grid } = state,
    scale = Math.min(1, 2000 / Math.max(grid.width, grid.height));
  const width = Math.max(1, Math.round(grid.width * scale)),
    height = Math.max(1, Math.round(grid.height * scale));
  const canvas = element("canvas", { width, height }),
    c = canvas.getContext("2d");
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
  const names = []; // of boxes that share a corner: one below the other
  for (const ratio of new Set([...state.ratios, state.ratio])) {
    const { box } = cropOf(ratio),
      [x, y, w, h] = [box.x, box.y, box.width, box.height].map((value) => value * scale);
    twice(() => c.strokeRect(x, y, w, h), ratio === state.ratio ? [] : [unit, unit]);
    const wide = c.measureText(nameOf(ratio)).width + unit;
    let top = y + unit;
    while (names.some((n) => Math.abs(n.x - x) < Math.max(wide, n.wide) && Math.abs(n.top - top) < 2.5 * unit))
      top += 2.5 * unit;
    names.push({ ratio, x, top, wide });
  }
  line(0.5 * unit, "#000c");
  c.fillStyle = "#fff";
  for (const { ratio, x, top } of names) {
    c.strokeText(nameOf(ratio), x + unit, top);
    c.fillText(nameOf(ratio), x + unit, top);
  }
  for (const { x, y, score } of grid.points) {
    c.beginPath();
    c.arc(x * width, y * height, 0.5 * unit + unit * score, 0, 7);
    twice(() => c.stroke(), []);
  }
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return { name: `${stem()}-gazecrop.png`, blob };
}

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
  const files = element(
    "div",
    { className: "tools start-tools" },
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
    }),
  );
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
    if (!navigator.clipboard) {
      getSelection().selectAllChildren(text); // over plain http browsers give pages no clipboard
      throw new Error("Over plain http a page may not copy. The text is selected: copy it with Ctrl+C or ⌘C.");
    }
    await navigator.clipboard.writeText(text.textContent);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  place.replaceChildren(
    files,
    wrong,
    element(
      "fieldset",
      { className: "choice wrap" },
      element("legend", { className: "unseen", textContent: "As text" }),
      ...choices,
    ),
    text,
    copy,
  );
  write();
  onChange(write);
  place.parentElement.addEventListener("toggle", write);
}
