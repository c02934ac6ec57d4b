/**
 * The page's state, in one object. Views subscribe; all changes within one frame cause a single redraw in the next.
 *
 * @typedef {import("./gazecrop.js").Grid} Grid
 * @typedef {import("./gazecrop.js").Constraint} Constraint
 * @typedef {{blob: Blob, name: string, url: string, decodable: boolean, orientation: number, width: number,
 *   height: number}} Picture `url`: what is displayed, perhaps a smaller copy; `decodable`: this browser shows what the
 *   server analysed; `orientation`: EXIF, what remains to be applied to the decoded `blob`; `width`, `height`: upright
 * @typedef {Object} State
 * @property {Picture|null} picture
 * @property {any} analysis the response to the upload (schema `Document` of the OpenAPI document)
 * @property {Grid|null} grid
 * @property {string} ratio the selected shape
 * @property {string[]} ratios the shapes of the cards
 * @property {"auto"|"balanced"|"careful"|"window"|"point"|"centre"} policy
 * @property {number} zoom
 * @property {boolean} closer the zoom is the one to the subject, in place of `zoom`
 * @property {number} fill the share that the subject fills then
 * @property {string} protect the kinds of objects that crops should not cut through: as in the API
 * @property {{x: number, y: number, width: number, height: number}|null} overlay the title's place, in fractions of the crop
 * @property {{x: number, y: number}|null} focus set by a person, in fractions; null: the predicted one is used
 * @property {boolean} focusStored this focus is stored on the server
 * @property {string|null} focusTag ETag of the stored focus
 * @property {Constraint[]} constraints
 * @property {{picture: Picture, grid: Grid, mirrored: boolean}|null} before the picture before its last edit;
 *   `mirrored`: the edit only mirrored it
 */

/** @type {State} */
export const state = {
  picture: null,
  analysis: null,
  grid: null,
  ratio: "1:1",
  ratios: ["square", "portrait", "desktop", "story", "banner"],
  policy: "auto",
  zoom: 1,
  closer: false,
  fill: 0.6,
  protect: "face,text",
  overlay: null,
  focus: null,
  focusStored: false,
  focusTag: null,
  constraints: [],
  before: null,
};

const views = [];
let frame = 0;

/** @param {(state: State) => void} view runs after every change while there is a picture */
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
