/** Questions to the map under all that is set on the page. */
import { PROFILES, crop, goodRatios } from "./gazecrop.js";
import { state } from "./state.js";

/** The crop of a shape under everything that is set on the page. @param {string} ratio @param {object} [options] */
export const cropOf = (ratio, options = {}) =>
  crop(state.grid, ratio, {
    policy: state.policy, zoom: state.zoom, focus: state.focus, constraints: state.constraints, ...options,
  });

export const valueOf = (ratio) => {
  const [width, height = "1"] = (PROFILES[ratio] ?? ratio).split(":");
  return Number(width) / Number(height);
};

/** As people write it: 1.62:1, or 1:1.62 when it is upright. */
export function nameOf(ratio) {
  const text = PROFILES[ratio] ?? ratio;
  if (text.includes(":")) return text;
  const value = Number(text), round = (number) => String(Math.round(100 * number) / 100);
  return value < 1 ? `1:${round(1 / value)}` : `${round(value)}:1`;
}

/** For a poor crop: the nearest shape that would be good, or the canvas on which nothing is cut. */
export function adviceOf(ratio) {
  const { grid } = state, [from, to] = goodRatios(grid), value = valueOf(ratio);
  const wider = value * grid.height > grid.width;
  const canvas = wider ? [Math.ceil(grid.height * value - 1e-9), grid.height] : [grid.width, Math.ceil(grid.width / value - 1e-9)];
  return { nearest: wider ? to : from, canvas };
}
