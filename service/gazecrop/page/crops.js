/** The crops beside the picture: the selected shape with its scores, the policies side by side, the cards. */
import { PROFILES, crop } from "./gazecrop.js";
import { adviceOf, confidenceOf, cropOf, nameOf, valueOf } from "./answers.js";
import { wordsOf } from "./asks.js";
import { byId, element, onChange, percent, state, update } from "./state.js";

const VERDICTS = { good: "Good", tight: "Tight", poor: "Poor" };
const POLICIES = {
  balanced: "Balanced",
  window: "Most saliency",
  point: "Top point centred",
  centre: "Centred",
};

/** Shows a box of the picture in `frame` by CSS layout, without a canvas: fast enough to follow a slider. */
export function showCrop(frame, box, { grid, picture } = state) {
  const content = [box.x, box.y, box.width, box.height, picture.url].join();
  if (frame.dataset.content === content) return;
  frame.dataset.content = content;
  let image = frame.firstElementChild;
  if (image?.tagName !== "IMG") frame.replaceChildren((image = element("img", { alt: "", draggable: false })));
  if (image.src !== picture.url) image.src = picture.url;
  frame.style.aspectRatio = `${box.width} / ${box.height}`;
  frame.style.setProperty("--wide", box.width / box.height);
  image.style.width = `${(100 * grid.width) / box.width}%`;
  image.style.height = `${(100 * grid.height) / box.height}%`;
  image.style.left = `${(-100 * box.x) / box.width}%`;
  image.style.top = `${(-100 * box.y) / box.height}%`;
}

const select = (ratio) => update({ ratio });

// The slider is logarithmic, so that equal steps change the shape equally: ±200 are 6:1 and 1:6.
const STEPS = 200 / Math.log(6);
const sliderAt = (value) => Math.min(Math.max(Math.round(Math.log(value) * STEPS), -200), 200);
byId("ratio").addEventListener("input", () => select(Math.exp(byId("ratio").value / STEPS).toFixed(4)));
byId("policy").addEventListener("input", () => update({ policy: byId("policy").value }));
byId("zoom").addEventListener("input", () => update({ zoom: Number(byId("zoom").value) }));

function controls({ grid, ratio, policy, zoom }) {
  const slider = byId("ratio"),
    [from, to] = grid.goodRatios ?? [];
  if (document.activeElement !== slider || sliderAt(valueOf(ratio)) !== Number(slider.value))
    slider.value = sliderAt(valueOf(ratio));
  const { importance_fraction: kept, verdict } = cropOf(ratio, { candidates: 2 }); // as in `detail`: one cache entry
  slider.setAttribute("aria-valuetext", `${nameOf(ratio)}, ${VERDICTS[verdict].toLowerCase()}, keeps ${percent(kept)}`);
  slider.style.setProperty("--from", from ? `${50 + sliderAt(valueOf(from)) / 4}%` : "50%");
  slider.style.setProperty("--to", to ? `${50 + sliderAt(valueOf(to)) / 4}%` : "50%");
  byId("ratio-text").textContent = nameOf(ratio);
  byId("good-span").textContent = grid.flat
    ? "Nothing stands out in this picture: every crop is centred."
    : !from
      ? "No shape between 1:20 and 20:1 keeps 80\u00a0% of what people look at."
      : `Shapes from ${from} to ${to} keep at least 80\u00a0% of what people look at.`;
  byId("policy").value = policy;
  byId("zoom").value = zoom;
  byId("zoom-text").textContent = `${(state.closer ? cropOf(ratio, { candidates: 2 }).zoom : zoom).toFixed(2)}×`;
}

function detail({ grid, ratio, constraints, focus, policy }) {
  const found = cropOf(ratio, { candidates: 2 }),
    best = cropOf(ratio, { policy: "window", focus: null, constraints: [] });
  showCrop(byId("live"), found.box);
  byId("live").ariaLabel = `The crop of ${nameOf(ratio)}: ${found.box.width} by ${found.box.height} pixels`;
  const reason = found.whole
    ? "The whole picture has this shape: nothing is cut off."
    : grid.flat
      ? "Nothing stands out in this picture, so the crop is centred."
      : `It keeps ${percent(found.importance_fraction)} of what people look at.`;
  byId("verdict").className = `verdict ${found.verdict}`;
  byId("verdict").replaceChildren(element("b", { textContent: VERDICTS[found.verdict] }), ` ${reason}`);
  const runnerUp = found.alternatives[0];
  const shares = [["This crop", found.importance_fraction]];
  if (found.policy !== "window" || constraints.length)
    shares.push(["Best possible crop of this shape", best.importance_fraction]);
  shares.push(["Centred crop", found.centre_fraction]);
  if (runnerUp) shares.push(["Second-best crop elsewhere", runnerUp.importance_fraction]);
  const bars = resizeList(byId("shares"), shares.length, () =>
    element("div", {}, element("dt"), element("dd", {}, element("span"))),
  );
  shares.forEach(([name, share], i) => {
    const [title, bar] = bars[i].children;
    title.textContent = name;
    bar.firstChild.textContent = percent(share);
    bar.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
  });
  const lines = [],
    confidence = confidenceOf(ratio, found);
  if (confidence)
    lines.push(
      `Confidence ${percent(confidence)}: the probability that this crop keeps at least nine tenths of what the best crop keeps.`,
    );
  if (!found.whole && found.beats_centre !== 0.5)
    lines.push(`The chance that it keeps people's gaze better than the centred crop: ${percent(found.beats_centre)}.`);
  if (found.policy === "focus") lines.push("It follows the focus that a person set.");
  if (policy === "point" && grid.symmetric)
    lines.push("The map is nearly its own mirror image, so the crop is centred.");
  if (focus && policy !== "auto") lines.push("The focus is not used: the policy is not automatic.");
  lines.push(...wordsOf(found));
  const marks = found.unmet.filter((mark) => constraints.includes(mark));
  if (marks.length)
    lines.push(
      `These marks could not be satisfied: ${marks.map((c) => `${c.kind} ${constraints.indexOf(c) + 1}`).join(", ")}.`,
    );
  const box = `Box ${found.box.width} × ${found.box.height} at ${found.box.x}, ${found.box.y}.`;
  byId("advice").replaceChildren(...lines.map((line) => `${line} `), box);
  if (found.verdict === "poor" && !grid.flat) {
    const { nearest, canvas } = adviceOf(ratio, found);
    if (nearest) {
      const use = element("button", { type: "button", className: "link", textContent: nearest });
      use.addEventListener("click", () => select(nearest));
      byId("advice").append(" Nearest good shape: ", use, ".");
    }
    byId("advice").append(` A canvas of ${canvas.join(" × ")} pixels has this shape and holds the whole picture.`);
  }
}

/** Removes or creates children until there are `count`; the others are reused. */
function resizeList(list, count, create) {
  while (list.children.length > count) list.lastElementChild.remove();
  while (list.children.length < count) list.append(create());
  return [...list.children];
}

function policies({ ratio }) {
  const names = Object.keys(POLICIES).concat(state.focus ? "focus" : []);
  const items = resizeList(byId("policies"), names.length, () =>
    element("li", {}, element("div", { className: "crop" }), element("p")),
  );
  items.forEach((item, i) => {
    const found = cropOf(ratio, { policy: names[i] });
    showCrop(item.firstElementChild, found.box);
    item.lastElementChild.replaceChildren(
      POLICIES[names[i]] ?? "Your focus",
      " ",
      element("b", { textContent: percent(found.importance_fraction) }),
    );
  });
}

function cards({ ratios, ratio }) {
  const items = resizeList(byId("cards"), ratios.length, () => {
    const button = element("button", { type: "button" }, element("div", { className: "crop" }), element("span"));
    button.addEventListener("click", () => select(button.dataset.ratio));
    return element("li", {}, button);
  });
  items.forEach((item, i) => {
    const name = ratios[i],
      found = cropOf(name),
      button = item.firstElementChild;
    button.dataset.ratio = name;
    item.style.setProperty("--wide", found.box.width / found.box.height);
    button.setAttribute("aria-pressed", name === ratio);
    showCrop(button.firstElementChild, found.box);
    button.lastElementChild.replaceChildren(
      name in PROFILES ? `${name} ` : "",
      element("small", { textContent: nameOf(name) }),
      " ",
      element("b", {
        className: found.verdict,
        textContent: percent(found.importance_fraction),
        title: VERDICTS[found.verdict],
      }),
    );
  });
}

function chips({ ratios }) {
  const names = [...new Set([...Object.keys(PROFILES), ...ratios])];
  byId("chips").replaceChildren(
    ...names.map((name) => {
      const box = element("input", { type: "checkbox", checked: ratios.includes(name), id: `chip-${name}` });
      box.addEventListener("input", () =>
        update({
          ratios: box.checked ? [...state.ratios, name].slice(-16) : state.ratios.filter((other) => other !== name),
        }),
      );
      return element("label", {}, box, element("span", { textContent: name in PROFILES ? name : nameOf(name) }));
    }),
  );
}

byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("custom").value.trim();
  try {
    crop(state.grid, name);
  } catch (error) {
    byId("custom-error").textContent = `${error.message}.`;
    return;
  }
  byId("custom").value = byId("custom-error").textContent = "";
  update({ ratios: [...new Set([...state.ratios, name])].slice(-16), ratio: name });
});

let chipRatios = null; // the chips are created again only when these change, so that they keep the keyboard focus
onChange((state) => {
  controls(state);
  detail(state);
  policies(state);
  cards(state);
  if (chipRatios !== String(state.ratios)) {
    const active = document.activeElement?.id;
    chips(state);
    chipRatios = String(state.ratios);
    if (active?.startsWith("chip-")) byId(active)?.focus();
  }
});
