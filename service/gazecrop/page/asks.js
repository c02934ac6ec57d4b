/** The zoom to the subject, what is protected, and the place of the page's title, which is kept free. */
import { byId, element, onChange, state, update } from "./state.js";
import { cropOf } from "./answers.js";
import { svgElement } from "./view.js";

const KINDS = { face: "face", text: "text line" };
const TITLE = { x: 0.05, y: 0.68, width: 0.9, height: 0.27 };
const LEAST = 0.05, // of the crop: the smallest side of the title
  CORNER = 24; // pixels of the screen: dragging there changes the size

const title = element("button", { type: "button", className: "title", hidden: true, textContent: "Title" });
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const rounded = (value) => Math.round(1000 * value) / 1000;

byId("closer").addEventListener("input", () => update({ closer: byId("closer").checked }));
byId("fill").addEventListener("input", () => update({ fill: byId("fill").value / 100 }));
byId("titled").addEventListener("input", () => update({ overlay: byId("titled").checked ? TITLE : null }));
for (const kind of Object.keys(KINDS))
  byId(`protect-${kind}`).addEventListener("input", () => {
    const names = Object.keys(KINDS).filter((name) => byId(`protect-${name}`).checked);
    update({ protect: names.join(",") || "none" });
  });
byId("show-objects").addEventListener("input", () => update({}));

/** The title moved, or resized, by shares of the crop. */
function moved({ x, y, width, height }, right, down, resize) {
  if (resize) {
    width = rounded(clamp(width + right, LEAST, 1 - x));
    height = rounded(clamp(height + down, LEAST, 1 - y));
    return { x, y, width, height };
  }
  return { x: rounded(clamp(x + right, 0, 1 - width)), y: rounded(clamp(y + down, 0, 1 - height)), width, height };
}

title.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  title.setPointerCapture(event.pointerId);
  const own = title.getBoundingClientRect(),
    frame = byId("live").getBoundingClientRect(),
    from = state.overlay,
    resize = event.clientX > own.right - CORNER && event.clientY > own.bottom - CORNER;
  const move = ({ clientX, clientY }) =>
    update({
      overlay: moved(
        from,
        (clientX - event.clientX) / frame.width,
        (clientY - event.clientY) / frame.height,
        resize,
      ),
    });
  const end = () => title.removeEventListener("pointermove", move);
  title.addEventListener("pointermove", move);
  title.addEventListener("pointerup", end, { once: true });
  title.addEventListener("pointercancel", end, { once: true });
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
title.addEventListener("keydown", (event) => {
  const step = ARROWS[event.key];
  if (!step || !state.overlay) return;
  event.preventDefault();
  update({ overlay: moved(state.overlay, step[0] * 0.02, step[1] * 0.02, event.shiftKey) });
});

const counted = (objects) =>
  Object.entries(KINDS)
    .map(([kind, name]) => [objects.filter((each) => each.kind === kind).length, name])
    .filter(([count]) => count)
    .map(([count, name]) => `${count} ${name}${count > 1 ? "s" : ""}`)
    .join(" and ");

/** What a crop does to the objects and the title, in sentences. @param {import("./gazecrop.js").Crop} found */
export function wordsOf({ objects, unmet }) {
  const lines = [];
  if (objects) {
    const { cut, avoidable } = objects,
      larger = cut.filter((each) => !avoidable.includes(each));
    if (avoidable.length) lines.push(`It cuts through ${counted(avoidable)} that would fit whole.`);
    if (larger.length) lines.push(`It cuts through ${counted(larger)} too large for this shape.`);
    if (!cut.length && objects.whole) lines.push("It cuts through no protected face or text line.");
  }
  if (unmet.some(({ kind }) => kind === "overlay"))
    lines.push("The title hides something that matters: move it, or make it smaller.");
  return lines;
}

onChange(({ grid, ratio, closer, fill, overlay, protect }) => {
  const found = cropOf(ratio, { candidates: 2 }); // as in crops.js: one cache entry
  byId("closer").checked = closer;
  byId("fill").value = Math.round(100 * fill);
  byId("fill").disabled = !closer;
  byId("fill-text").textContent = `${Math.round(100 * fill)}\u00a0%`;
  byId("zoom").disabled = closer;
  byId("titled").checked = Boolean(overlay);
  for (const kind of Object.keys(KINDS)) byId(`protect-${kind}`).checked = protect.split(",").includes(kind);
  byId("protect").hidden = byId("show-objects").parentElement.hidden = !grid.objects.length;
  byId("found").replaceChildren(
    ...(byId("show-objects").checked ? grid.objects : []).map(({ kind, box: { x, y, width, height } }) =>
      svgElement("rect", { class: kind, x, y, width, height }),
    ),
  );
  title.hidden = !overlay;
  if (!overlay) return;
  if (title.parentElement !== byId("live")) byId("live").append(title);
  for (const [side, name] of Object.entries({ x: "left", y: "top", width: "width", height: "height" }))
    title.style[name] = `${100 * overlay[side]}%`;
  const hides = found.unmet.some(({ kind }) => kind === "overlay");
  title.classList.toggle("hides", hides);
  title.ariaLabel = `The title's place in the crop${hides ? ", which hides something that matters" : ""}. Arrow keys move it, with Shift they resize it.`;
});
