/** The picture before and after an edit side by side, and how the crop and the map changed. */
import { nameOf } from "./answers.js";
import { crop } from "./gazecrop.js";
import { byId, element, onChange, percent, state, update } from "./state.js";
import { heatMapOf, opacity, svgElement } from "./view.js";

const section = byId("compare");

function pane(title, { picture, grid }, box) {
  const frame = element("div", { className: "pane" }),
    heat = heatMapOf(grid);
  if (picture.decodable) frame.append(element("img", { src: picture.url, alt: "" }));
  heat.style.opacity = opacity();
  const svg = svgElement("svg", { viewBox: `0 0 ${grid.width} ${grid.height}`, preserveAspectRatio: "none" });
  svg.append(svgElement("rect", box));
  frame.style.aspectRatio = `${grid.width} / ${grid.height}`;
  frame.append(heat, svg);
  return element("figure", {}, frame, element("figcaption", { textContent: title }));
}

/** Sentences on how far the crop moved, in percent of the picture, and how much the maps differ. */
function describe(before, after, ratio, cropBefore, cropAfter) {
  const { mirrored } = before,
    lines = [];
  const middle = ({ box }, { width, height }) => [(box.x + box.width / 2) / width, (box.y + box.height / 2) / height];
  const [x, y] = middle(cropBefore, before.grid),
    [u, v] = middle(cropAfter, after.grid);
  const dx = Math.round(100 * (u - (mirrored ? 1 - x : x))),
    dy = Math.round(100 * (v - y));
  const moves = [
    dx && `${Math.abs(dx)} % ${dx > 0 ? "to the right" : "to the left"}`,
    dy && `${Math.abs(dy)} % ${dy > 0 ? "down" : "up"}`,
  ].filter(Boolean);
  const subject = mirrored ? "Mirrored back, the" : "The";
  lines.push(
    moves.length
      ? `${subject} ${nameOf(ratio)} crop moved ${moves.join(" and ")}.`
      : `${subject} ${nameOf(ratio)} crop did not move.`,
  );
  const [kept, keptBefore] = [cropAfter, cropBefore].map((one) => percent(one.importance_fraction));
  lines.push(`It keeps ${kept} of what people look at; before the edit it kept ${keptBefore}.`);
  const distance = variation(before.grid, after.grid, mirrored);
  if (distance !== null)
    lines.push(`The maps differ by ${percent(distance)} (0 %: the same, 100 %: nothing in common).`);
  return lines.join(" ");
}

/** Total variation distance of two maps, 0 to 1; null for maps of different shapes. `mirrored`: the first is mirrored. */
function variation(one, two, mirrored) {
  if (one.columns !== two.columns || one.rows !== two.rows) return null;
  const sum = ({ levels }) => levels.reduce((a, b) => a + b, 0),
    a = sum(one),
    b = sum(two);
  let distance = 0;
  for (let i = 0; i < one.levels.length; i++) {
    const column = i % one.columns,
      other = mirrored ? i - column + one.columns - 1 - column : i;
    distance += Math.abs(one.levels[other] / a - two.levels[i] / b) / 2;
  }
  return distance;
}

function draw({ before, picture, grid, ratio, policy, zoom }) {
  section.hidden = !before;
  if (!before) return;
  const after = { picture, grid },
    cropBefore = crop(before.grid, ratio, { policy, zoom }),
    cropAfter = crop(grid, ratio, { policy, zoom });
  const close = element("button", { type: "button", textContent: "Close", id: "compare-close" });
  close.addEventListener("click", () => update({ before: null }));
  section.replaceChildren(
    element(
      "div",
      { className: "tools" },
      element("h2", { id: "compare-title", textContent: "Before and after the edit" }),
      close,
    ),
    element(
      "div",
      { className: "panes" },
      pane("Before", before, cropBefore.box),
      pane("After", after, cropAfter.box),
    ),
    element("p", { textContent: describe(before, after, ratio, cropBefore, cropAfter) }),
  );
}

onChange(draw);
for (const id of ["show-heat", "opacity"]) byId(id).addEventListener("input", () => state.grid && draw(state));
