/** Questions to the map under all that is set on the page. */
import { PROFILES, crop } from "./gazecrop.js";
import { state } from "./state.js";

const known = new Map(); // of one grid and one setting: while the slider moves only the free shape is new
let asked = null;

/** The crop of a shape under everything that is set on the page. @param {string} ratio @param {object} [options] */
export function cropOf(ratio, options = {}) {
  const { grid, policy, zoom, focus, constraints } = state,
    name = JSON.stringify([ratio, options]);
  const now = [grid, policy, zoom, focus, constraints];
  if (!asked?.every((one, i) => one === now[i]) || known.size > 300) known.clear();
  asked = now;
  if (!known.has(name)) known.set(name, crop(grid, ratio, { policy, zoom, focus, constraints, ...options }));
  return known.get(name);
}

export const valueOf = (ratio) => {
  const [width, height = "1"] = (PROFILES[ratio] ?? ratio).split(":");
  return Number(width) / Number(height);
};

/** As people write it: 1.62:1, or 1:1.62 when it is upright. */
export function nameOf(ratio) {
  const text = PROFILES[ratio] ?? ratio;
  if (text.includes(":")) return text;
  const value = Number(text),
    round = (number) => String(Math.round(100 * number) / 100);
  return value < 1 ? `1:${round(1 / value)}` : `${round(value)}:1`;
}

/** For a poor crop: the nearest shape that would be good, if another shape would help, and the canvas that cuts nothing. */
export function adviceOf(ratio, found) {
  const { grid } = state,
    value = valueOf(ratio);
  const plain = found.policy === "window" && state.zoom === 1 && !state.constraints.length;
  const [from, to] = (plain && grid.goodRatios) || [null, null];
  const wider = value * grid.height > grid.width;
  const canvas = wider
    ? [Math.ceil(grid.height * value - 1e-9), grid.height]
    : [grid.width, Math.ceil(grid.width / value - 1e-9)];
  return { nearest: wider ? to : from, canvas };
}

/** The server's own words on the same box, where it was asked for it: its confidence is calibrated, a map knows none. */
export function toldOf(ratio, found) {
  if (state.constraints.length) return undefined; // it was asked without
  const shape = PROFILES[ratio] ?? ratio,
    same = (one, other) => Object.keys(one).every((side) => one[side] === other[side]);
  return state.document.crops.find(
    (one) => one.ratio === shape && one.policy === found.policy && same(one.box, found.box),
  );
}

/** The chance that the crop keeps at least nine tenths of what the best one would; null when nobody knows. */
export const sureOf = (ratio, found) => toldOf(ratio, found)?.confidence ?? null;
