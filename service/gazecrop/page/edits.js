/**
 * An edit: how the picture is rotated, mirrored and cropped, and the lines and texts on it. Immutable values, so that
 * undo is a list. Coordinates are pixels of the unedited picture: the drawings rotate with it.
 *
 * @typedef {{kind: "line", points: number[], colour: string, size: number}} Line
 * @typedef {{kind: "text", text: string, x: number, y: number, colour: string, size: number, turns: number,
 *   flipped: boolean}} Text x and y of its centre; turns and flipped of the edit in which it was written
 * @typedef {{turns: number, flipped: boolean, crop: {x: number, y: number, width: number, height: number},
 *   items: (Line|Text)[]}} Edit displayed as: cropped to `crop`, then mirrored left to right if `flipped`, then rotated
 *   clockwise by `turns` quarter turns
 */

/** @returns {Edit} */
export const unedited = (width, height) => ({
  turns: 0,
  flipped: false,
  crop: { x: 0, y: 0, width, height },
  items: [],
});

/** @param {Edit} edit @returns {Edit} */
export const turned = (edit) => ({ ...edit, turns: (edit.turns + 1) % 4 });

// Mirroring after a rotation equals the opposite rotation after mirroring.
/** @param {Edit} edit @returns {Edit} */
export const mirrored = (edit) => ({ ...edit, flipped: !edit.flipped, turns: (4 - edit.turns) % 4 });
/** @param {Edit} edit @returns {Edit} */
export const upsideDown = (edit) => ({ ...edit, flipped: !edit.flipped, turns: (6 - edit.turns) % 4 });

/** Width and height as displayed. @param {Edit} edit */
export const sizeOf = ({ turns, crop: { width, height } }) =>
  turns % 2 ? { width: height, height: width } : { width, height };

/** Crops to a rectangle of the displayed picture, in fractions. @param {Edit} edit @returns {Edit} */
export function cut(edit, { x, y, width, height }) {
  const { turns, flipped, crop } = edit;
  let box = { x, y, width, height };
  for (let i = 0; i < turns; i++) box = { x: box.y, y: 1 - box.x - box.width, width: box.height, height: box.width }; // rotated back
  if (flipped) box.x = 1 - box.x - box.width;
  const left = Math.max(Math.round(crop.x + box.x * crop.width), 0),
    top = Math.max(Math.round(crop.y + box.y * crop.height), 0);
  const right = Math.round(crop.x + (box.x + box.width) * crop.width),
    bottom = Math.round(crop.y + (box.y + box.height) * crop.height);
  return { ...edit, crop: { x: left, y: top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) } };
}

/** The edit mirrors the picture and does not rotate or crop it: the maps before and after correspond cell by cell. */
export const onlyMirrored = ({ flipped, turns, crop }, { width, height }) =>
  flipped && turns === 0 && crop.width === width && crop.height === height;

export class History {
  /** @param {Edit} first */
  constructor(first) {
    this.steps = [first];
    this.at = 0;
  }
  get now() {
    return this.steps[this.at];
  }
  get first() {
    return this.at === 0;
  }
  get last() {
    return this.at === this.steps.length - 1;
  }
  /** @param {Edit} edit */
  add(edit) {
    this.steps.splice(++this.at, Infinity, edit);
  }
  undo() {
    this.at = Math.max(this.at - 1, 0);
  }
  redo() {
    this.at = Math.min(this.at + 1, this.steps.length - 1);
  }
}
