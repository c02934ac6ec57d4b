/** Before and after an edit, beside each other: what moved. */
import { nameOf } from "./answers.js";
import { crop } from "./gazecrop.js";
import { byId, element, onChange, percent, state, update } from "./state.js";
import { heatOf, opacity, shape } from "./view.js";

const place = byId("compare");

/** A mirrored box or point, so that both can be laid over each other. */
const back = (value, mirrored) => (mirrored ? 1 - value : value);

function pane(title, { picture, grid }, box) {
  const frame = element("div", { className: "pane" }),
    heat = heatOf(grid);
  if (picture.shown) frame.append(element("img", { src: picture.url, alt: "" }));
  heat.style.opacity = opacity();
  const svg = shape("svg", { viewBox: `0 0 ${grid.width} ${grid.height}`, preserveAspectRatio: "none" });
  svg.append(shape("rect", box));
  frame.style.aspectRatio = `${grid.width} / ${grid.height}`;
  frame.append(heat, svg);
  return element("figure", {}, frame, element("figcaption", { textContent: title }));
}

/** What moved, in words and hundredths of the picture. */
function moved(before, after, ratio, one, two) {
  const { mirrored } = before,
    lines = [];
  const middle = ({ box }, { width, height }) => [(box.x + box.width / 2) / width, (box.y + box.height / 2) / height];
  const [x, y] = middle(one, before.grid),
    [u, v] = middle(two, after.grid);
  const dx = Math.round(100 * (u - back(x, mirrored))),
    dy = Math.round(100 * (v - y));
  const ways = [
    dx && `${Math.abs(dx)} % ${dx > 0 ? "to the right" : "to the left"}`,
    dy && `${Math.abs(dy)} % ${dy > 0 ? "down" : "up"}`,
  ].filter(Boolean);
  const whence = mirrored ? "Mirrored back, the" : "The";
  lines.push(
    ways.length
      ? `${whence} ${nameOf(ratio)} crop moved ${ways.join(" and ")}.`
      : `${whence} ${nameOf(ratio)} crop did not move.`,
  );
  lines.push(`It keeps ${percent(two.importance_fraction)}, before ${percent(one.importance_fraction)}.`);
  const distance = variation(before.grid, after.grid, mirrored);
  if (distance !== null)
    lines.push(`The maps differ by ${percent(distance)} (0 %: the same, 100 %: nothing in common).`);
  return lines.join(" ");
}

/** Total variation distance of two maps of one shape; null for others. */
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
  place.hidden = !before;
  if (!before) return;
  const one = crop(before.grid, ratio, { policy, zoom }),
    two = crop(grid, ratio, { policy, zoom });
  const close = element("button", { type: "button", textContent: "Close", id: "compare-close" });
  close.addEventListener("click", () => update({ before: null }));
  place.replaceChildren(
    element(
      "div",
      { className: "tools" },
      element("h2", { id: "compare-title", textContent: "Before and after the edit" }),
      close,
    ),
    element("div", { className: "panes" }, pane("Before", before, one.box), pane("After", { picture, grid }, two.box)),
    element("p", { textContent: moved(before, { picture, grid }, ratio, one, two) }),
  );
}

onChange(draw);
for (const id of ["show-heat", "opacity"]) byId(id).addEventListener("input", () => state.grid && draw(state));
