/** Input on the picture: the focus, dragged or moved with the arrow keys, and boxes to keep or to avoid. */
import { byId, element, onChange, state, update } from "./state.js";

const stage = byId("stage"),
  focus = byId("focus");
const clamp = (value) => Math.min(Math.max(value, 0), 1);
const rounded = (value) => Math.round(1e4 * clamp(value)) / 1e4; // the precision of `keep` and `avoid` in our queries
const mode = () => document.querySelector("input[name=mode]:checked").value;

/** A pointer's position in fractions of the picture. */
function positionOf(event) {
  const frame = stage.getBoundingClientRect();
  return {
    x: clamp((event.clientX - frame.left) / frame.width),
    y: clamp((event.clientY - frame.top) / frame.height),
  };
}

const setFocus = (x, y) => update({ focus: { x: rounded(x), y: rounded(y) }, focusStored: false });

focus.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.stopPropagation();
  focus.setPointerCapture(event.pointerId);
  const move = (moved) => {
    const { x, y } = positionOf(moved);
    setFocus(x, y);
  };
  focus.addEventListener("pointermove", move);
  const end = () => focus.removeEventListener("pointermove", move);
  focus.addEventListener("pointerup", end, { once: true });
  focus.addEventListener("pointercancel", end, { once: true });
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
focus.addEventListener("keydown", (event) => {
  const step = ARROWS[event.key],
    size = event.shiftKey ? 0.1 : 0.01;
  if (!step) return;
  event.preventDefault();
  const { x, y } = currentFocus(state);
  setFocus(x + step[0] * size, y + step[1] * size);
});

/** The focus that is displayed: set by a person, else predicted. */
const currentFocus = ({ focus, analysis }) => focus ?? analysis.focus;

stage.addEventListener("pointerdown", (event) => {
  const kind = mode();
  if (event.button || kind === "focus" || !state.grid) return;
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  const before = state.constraints,
    from = positionOf(event);
  const draw = (moved) => {
    const to = positionOf(moved),
      x = rounded(Math.min(from.x, to.x)),
      y = rounded(Math.min(from.y, to.y));
    const width = rounded(Math.max(from.x, to.x) - x),
      height = rounded(Math.max(from.y, to.y) - y);
    const large = width > 0.005 && height > 0.005; // anything smaller is taken for an accidental click
    update({ constraints: large ? [...before, { kind, x, y, width, height }] : before });
  };
  stage.addEventListener("pointermove", draw);
  const end = () => stage.removeEventListener("pointermove", draw);
  stage.addEventListener("pointerup", end, { once: true });
  stage.addEventListener("pointercancel", end, { once: true });
});

for (const radio of document.querySelectorAll("input[name=mode]"))
  radio.addEventListener("input", () => {
    stage.dataset.mode = mode();
    update({}); // the button of the list depends on the mode
  });

const FIELDS = [
  ["x", "left"],
  ["y", "top"],
  ["width", "width"],
  ["height", "height"],
];

/** The marked parts as a list of number fields, for exact values and for use without a mouse. */
function list({ constraints }) {
  const kind = mode(),
    items = constraints.map((mark, i) => {
      const change = (changed) =>
        update({ constraints: state.constraints.map((one, k) => (k === i ? { ...one, ...changed } : one)) });
      const fields = FIELDS.map(([name, label]) => {
        const input = element("input", {
          type: "number",
          min: 0,
          max: 100,
          step: "any",
          id: `mark-${i}-${name}`,
          value: +(100 * mark[name]).toFixed(2),
        });
        input.addEventListener("change", () => {
          const value = rounded(input.value / 100);
          const room = { x: 1 - mark.width, y: 1 - mark.height, width: 1 - mark.x, height: 1 - mark.y }[name];
          change({ [name]: rounded(Math.min(Math.max(value, name.length > 1 ? 0.001 : 0), room)) });
        });
        return element("label", {}, `${label} `, input, " %");
      });
      const remove = element("button", {
        type: "button",
        textContent: "Remove",
        ariaLabel: `Remove ${mark.kind} ${i + 1}`,
      });
      remove.addEventListener("click", () => update({ constraints: state.constraints.filter((_, k) => k !== i) }));
      return element(
        "li",
        { className: mark.kind },
        element("b", { textContent: `${i + 1} ${mark.kind}` }),
        ...fields,
        remove,
      );
    });
  if (kind !== "focus" && constraints.filter((mark) => mark.kind === kind).length < 16) {
    const add = element("button", { type: "button", id: "mark-add", textContent: `Add a part to ${kind}` });
    add.addEventListener("click", () =>
      update({ constraints: [...state.constraints, { kind, x: 0.4, y: 0.4, width: 0.2, height: 0.2 }] }),
    );
    items.push(
      element("li", {}, add, element("span", { className: "quiet", textContent: "or draw it on the picture" })),
    );
  }
  return items;
}

let listed = ""; // the mode and the marks that the list displays
onChange((state) => {
  const { x, y } = currentFocus(state),
    byPerson = Boolean(state.focus);
  focus.style.left = `${100 * x}%`;
  focus.style.top = `${100 * y}%`;
  focus.classList.toggle("person", byPerson);
  focus.ariaLabel = `Focus, ${byPerson ? "yours" : "predicted"}: ${Math.round(100 * x)} % from the left, ${Math.round(100 * y)} % from the top. Arrow keys move it.`;
  byId("focus-bar").hidden = !byPerson;
  byId("focus-save").hidden = state.focusStored;
  byId("focus-text").textContent = state.focusStored
    ? "This focus is saved on the server: every crop of this picture follows it."
    : "The crops follow your focus. Save it for all users?";
  const described = mode() + JSON.stringify(state.constraints);
  if (described === listed) return;
  listed = described;
  const active = document.activeElement?.id;
  byId("constraints").replaceChildren(...list(state));
  if (active?.startsWith("mark-")) byId(active)?.focus();
});
