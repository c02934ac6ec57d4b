/**
 * What the page knows, in one place. Views subscribe; all changes of one moment are one drawing in the next frame.
 *
 * @typedef {import("./gazecrop.js").Grid} Grid
 * @typedef {import("./gazecrop.js").Constraint} Constraint
 * @typedef {{blob: Blob, name: string, url: string, shown: boolean}} Picture `shown`: this browser can decode it
 * @typedef {Object} State
 * @property {Picture|null} picture
 * @property {any} document the server's answer to the upload
 * @property {Grid|null} grid
 * @property {string} ratio the shape under "any shape"
 * @property {string[]} ratios the shapes among the cards
 * @property {"auto"|"window"|"point"|"centre"} policy
 * @property {number} zoom
 * @property {{x: number, y: number}|null} focus a person's
 * @property {boolean} kept the server holds this focus
 * @property {string|null} tag its ETag
 * @property {Constraint[]} constraints
 * @property {{picture: Picture, grid: Grid, mirrored: boolean}|null} before the picture before its last edit, which only
 *   mirrored it or not
 */

/** @type {State} */
export const state = {
  picture: null,
  document: null,
  grid: null,
  ratio: "1:1",
  ratios: ["square", "portrait", "desktop", "story", "banner"],
  policy: "auto",
  zoom: 1,
  focus: null,
  kept: false,
  tag: null,
  constraints: [],
  before: null,
};

const views = [];
let frame = 0;

/** @param {(state: State) => void} view drawn again after every change, as soon as there is a picture */
export const onChange = (view) => views.push(view);

/** @param {Partial<State>} changes */
export function update(changes) {
  Object.assign(state, changes);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (state.grid) for (const view of views) view(state);
  });
}

export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

/** @param {string} tag @param {object} [properties] @param {...(Node|string)} children */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);
