/** Crops of the current map under the page's settings: computed here, with a cache, and looked up in the analysis. */
import { PROFILES, crop } from "./gazecrop.js";
import { state } from "./state.js";

const cache = new Map(); // for one grid and one set of settings: while the slider moves, only one shape is computed
let cacheSettings = null;

/** The crop of a shape under the page's settings. @param {string} ratio @param {object} [options] override them */
export function cropOf(ratio, options = {}) {
  const { grid, policy, zoom, closer, fill, protect, overlay, focus, constraints } = state,
    name = JSON.stringify([ratio, options]);
  const settings = [grid, policy, zoom, closer, fill, protect, overlay, focus, constraints];
  if (!cacheSettings?.every((one, i) => one === settings[i]) || cache.size > 300) cache.clear();
  cacheSettings = settings;
  const asked = { zoom: closer ? "auto" : zoom, ...(closer && { fill }), protect, overlays: overlay ? [overlay] : [] };
  if (!cache.has(name)) cache.set(name, crop(grid, ratio, { policy, ...asked, focus, constraints, ...options }));
  return cache.get(name);
}

export const valueOf = (ratio) => {
  const [width, height = "1"] = (PROFILES[ratio] ?? ratio).split(":");
  return Number(width) / Number(height);
};

/** A ratio for display: 1.62:1, or 1:1.62 in portrait format. */
export function nameOf(ratio) {
  const text = PROFILES[ratio] ?? ratio;
  if (text.includes(":")) return text;
  const value = Number(text),
    round = (number) => String(Math.round(100 * number) / 100);
  return value < 1 ? `1:${round(1 / value)}` : `${round(value)}:1`;
}

/** For a poor crop: the nearest good shape (null where there is none), and the canvas that holds the whole picture. */
export function adviceOf(ratio, found) {
  const { grid } = state,
    value = valueOf(ratio);
  const free = state.zoom === 1 && !state.closer && !state.overlay && !state.constraints.length;
  const plain = ["window", "balanced"].includes(found.policy) && free;
  const [from, to] = (plain && grid.goodRatios) || [null, null];
  const wider = value * grid.height > grid.width;
  const canvas = wider
    ? [Math.ceil(grid.height * value - 1e-9), grid.height]
    : [grid.width, Math.ceil(grid.width / value - 1e-9)];
  return { nearest: wider ? to : from, canvas };
}

/** The same crop in the server's analysis, if it is there: only the server has the calibration of the confidence. */
export function serverCropFor(ratio, found) {
  const { constraints, closer, overlay, protect } = state;
  if (constraints.length || closer || overlay || protect !== "face,text") return undefined; // the request had none
  const shape = PROFILES[ratio] ?? ratio,
    same = (one, other) => Object.keys(one).every((side) => one[side] === other[side]);
  return state.analysis.crops.find(
    (one) => one.ratio === shape && one.policy === found.policy && same(one.box, found.box),
  );
}

/** The probability that the crop keeps at least 90 % of what the best one would; null where the server sent none. */
export const confidenceOf = (ratio, found) => serverCropFor(ratio, found)?.confidence ?? null;
