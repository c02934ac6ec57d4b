/**
 * Gazecrop's portable map: decodes `saliency.encoded` and computes the same crops as the server, to the pixel.
 * One file, no dependencies, no requests. It mirrors gazecrop/crop/{grid,objects,points,placing,balance,balance_axis,
 * sliding,confidence,zooming,overlay,fields,markup,cropping,ratios}.py by name.
 *
 *     import { decode, crop } from "./gazecrop.js";
 *     const { box } = crop(decode(document.saliency.encoded), "16:9");
 *
 * Or without code of your own: <script type="module" src="gazecrop.js"></script> and, with a size set in CSS,
 *     <img src="picture.jpg" data-gazecrop="R0MxKB4..." [data-gazecrop-focus="0.31,0.42"]>
 * which then shows the crop for its aspect ratio in the layout.
 *
 * All sums are integers below 2^53, which a double represents exactly, as the server's int64 does. Sizes of boxes are
 * computed with fractions of BigInt, since each side of a ratio may have twelve digits.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Box integer pixels of the upright picture
 * @typedef {{kind: "keep"|"avoid"|"overlay", x: number, y: number, width: number, height: number}} Constraint fractions
 * @typedef {{kind: "face"|"text", box: Box, score: number}} Found a face (with hair, chin and ears) or a text line
 * @typedef {{x: number, y: number, score: number}} Point fractions of the picture; score relative to the highest point
 * @typedef {"auto"|"window"|"point"|"centre"|"focus"|"balanced"|"careful"} Policy
 * @typedef {{policy?: Policy, zoom?: number|string, constraints?: Constraint[], candidates?: number,
 *   overlays?: {x: number, y: number, width: number, height: number}[], fields?: string, fill?: number,
 *   align?: {x: number, y: number}, pixels?: {width: number, height: number},
 *   protect?: string, careful?: number,
 *   weights?: {middle: number, mass: number, face: number, text: number, head: number, alone: number},
 *   focus?: {x: number, y: number, source?: "person"|"model", profiles?: Object<string, {x: number, y: number}>}|null}} Options
 * @typedef {{box: Box, policy: Policy|"subject", zoom: number, importance_fraction: number, centre_fraction: number, gain: number,
 *   beats_centre: number,
 *   whole: boolean, verdict: "good"|"tight"|"poor", unmet: Constraint[],
 *   objects: {whole: number, cut: Found[], outside: number, avoidable: Found[]}|null,
 *   alternatives: {box: Box, importance_fraction: number, verdict: Verdict}[], fields?: Object<string, any>}} Crop
 */

export const PROFILES = Object.freeze({
  square: "1:1",
  portrait: "4:5",
  landscape: "1.91:1",
  og: "40:21",
  story: "9:16",
  phone: "6:13",
  tablet: "3:4",
  desktop: "16:9",
  wide: "21:9",
  banner: "3:1",
});
const TOP = 31,
  GOOD = 0.8,
  TIGHT = 0.6,
  WIDEST = 20n; // highest level of a map; least importance of the verdicts; 20:1 and 1:20
const KINDS = ["face", "text"],
  PARTS = 255,
  SCORES = 127,
  OBJECT = 256 * SCORES, // the weight of an object as long as the picture that is surely there
  FINE = 1024,
  LARGE = 41,
  LOOSE = { face: 20, text: 33 }, // objects: their edges are in 255ths of a side, scores in 127ths; see objects.py
  TWENTIETHS = 20,
  HEAD = [1, 3, 1];
/** Weights of policy `balanced`, in shares of the picture's saliency: see balance.py. */
export const WEIGHTS = Object.freeze({ middle: 0.0169, mass: 0.0211, face: 0.0238, text: 0.06, head: 0.015, alone: 0.0504 });
/** Weights of `beats_centre`, the chance that people's gaze is kept better than by the centre crop: see confidence.py. */
export const BEATS = Object.freeze([2.0833, 0.825368, 3.798885, 1.031086]);
const CAREFUL = 0.8; // the least such chance with which policy `careful` leaves the centre
const MOST = 5,
  APART = 0.15,
  LEAST = 0.2,
  SLACK = 1e-6; // points: highest number, least distance, least score; rounding tolerance in pixels

// ---- decoding a map: base64url of a header and raw DEFLATE

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const invalid = () => new Error("not the code of a grid");

/** @param {string} text base64url without padding @returns {Uint8Array} */
function bytesOf(text) {
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let hold = 0,
    held = 0,
    filled = 0;
  if (text.length % 4 === 1) throw invalid();
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) throw invalid();
    hold = ((hold << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) bytes[filled++] = hold >> (held -= 8);
  }
  return bytes;
}

// Lengths 3 to 258 and distances 1 to 32768: base and extra bits, RFC 1951 section 3.2.5.
const spread = (first, extras) => extras.map((extra) => [first, extra, (first += 1 << extra)]);
const LENGTHS = spread(3, [..."0000000011112222333344445555"].map(Number)).concat([[258, 0]]);
const DISTANCES = spread(1, [..."000011223344556677"].map(Number).concat([8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13]));
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * Decompresses raw DEFLATE (RFC 1951) to exactly `size` bytes. Every step consumes a bit of the input and the output
 * is bounded, so that it ends for every input.
 * @param {Uint8Array} input @param {number} size @returns {Uint8Array}
 */
function inflate(input, size) {
  const output = new Uint8Array(size);
  let at = 0,
    filled = 0,
    hold = 0,
    held = 0;
  const put = (byte) => {
    if (filled === size) throw invalid();
    output[filled++] = byte;
  };
  const bits = (count) => {
    for (; held < count; held += 8) {
      if (at === input.length) throw invalid();
      hold |= input[at++] << held;
    }
    const value = hold & ((1 << count) - 1);
    hold >>>= count;
    held -= count;
    return value;
  };
  /** A canonical Huffman code: the number of code words of each length, and the symbols in order. */
  const code = (lengths) => {
    const counts = new Array(16).fill(0),
      starts = [0, 0],
      symbols = [];
    for (const length of lengths) counts[length]++;
    counts[0] = 0;
    for (let length = 1, room = 1; length < 16; length++) {
      if ((room = 2 * room - counts[length]) < 0) throw invalid(); // oversubscribed
      starts[length + 1] = starts[length] + counts[length];
    }
    lengths.forEach((length, symbol) => length && (symbols[starts[length]++] = symbol));
    return { counts, symbols };
  };
  const symbol = ({ counts, symbols }) => {
    for (let length = 1, word = 0, first = 0, index = 0; length < 16; length++) {
      word |= bits(1);
      if (word - first < counts[length]) return symbols[index + word - first];
      index += counts[length];
      first = (first + counts[length]) << 1;
      word <<= 1;
    }
    throw invalid();
  };
  const dynamic = () => {
    const literals = bits(5) + 257,
      total = literals + bits(5) + 1,
      few = bits(4) + 4;
    const lengths = new Array(19).fill(0),
      all = [];
    for (let i = 0; i < few; i++) lengths[ORDER[i]] = bits(3);
    const ofLengths = code(lengths);
    while (all.length < total) {
      const s = symbol(ofLengths);
      if (s === 16 && !all.length) throw invalid();
      const again = s < 16 ? 1 : s === 16 ? 3 + bits(2) : s === 17 ? 3 + bits(3) : 11 + bits(7);
      for (let i = 0, value = s < 16 ? s : s === 16 ? all.at(-1) : 0; i < again; i++) all.push(value);
    }
    if (all.length > total) throw invalid();
    return [code(all.slice(0, literals)), code(all.slice(literals))];
  };
  const fixed = () => {
    const lengths = [
      [144, 8],
      [112, 9],
      [24, 7],
      [8, 8],
    ].flatMap(([count, length]) => new Array(count).fill(length));
    return [code(lengths), code(new Array(30).fill(5))];
  };
  for (let last = 0; !last;) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 3) throw invalid();
    if (kind === 0) {
      hold = held = 0; // skip to the next byte
      const length = bits(16);
      if ((length ^ bits(16)) !== 0xffff) throw invalid();
      for (let i = 0; i < length; i++) put(bits(8));
      continue;
    }
    const [literals, distances] = kind === 1 ? fixed() : dynamic();
    for (let s; (s = symbol(literals)) !== 256;) {
      if (s < 256) {
        put(s);
        continue;
      }
      if (s > 285) throw invalid();
      const [length, more] = LENGTHS[s - 257],
        repeat = length + bits(more);
      const far = symbol(distances);
      if (far > 29) throw invalid();
      const back = DISTANCES[far][0] + bits(DISTANCES[far][1]);
      if (back > filled) throw invalid();
      for (let i = 0; i < repeat; i++) put(output[filled - back]);
    }
  }
  if (filled !== size || at !== input.length) throw invalid();
  return output;
}

/**
 * Decodes a map. Throws an Error for a string that the server cannot have made.
 * @param {string} text `saliency.encoded`
 */
export function decode(text) {
  const code = bytesOf(String(text));
  if (code.length < 14 || code[0] !== 71 || code[1] !== 67 || (code[2] !== 49 && code[2] !== 50)) throw invalid(); // G C 1, G C 2
  const header = new DataView(code.buffer),
    columns = code[3],
    rows = code[4],
    flags = code[5];
  const width = header.getUint32(6),
    height = header.getUint32(10);
  const most = BigInt(TOP * columns * rows) * BigInt(width) * BigInt(height); // the upper bound of all sums
  if (flags > 3 || most === 0n) throw invalid();
  if (most > Number.MAX_SAFE_INTEGER || 4 * Math.max(width, height) ** 2 > Number.MAX_SAFE_INTEGER)
    throw new Error("a picture too large for exact sums");
  const packed = code[2] === 50 ? code.subarray(14) : [],
    objects = code[2] === 50 ? unpack(packed, width, height) : [];
  const start = code[2] === 50 ? 15 + 5 * objects.length : 14;
  const levels = inflate(code.subarray(start), columns * rows); // differences to left + upper - corner, modulo 32
  if (!levels.some(Boolean) || levels.some((level) => level > TOP)) throw invalid();
  for (let i = 0; i < levels.length; i++) {
    const left = i % columns > 0 ? levels[i - 1] : 0,
      upper = i >= columns ? levels[i - columns] : 0,
      corner = i % columns > 0 && i >= columns ? levels[i - columns - 1] : 0;
    levels[i] = (levels[i] + left + upper - corner) & TOP;
  }
  return new Grid(levels, columns, rows, width, height, Boolean(flags & 1), Boolean(flags & 2), objects);
}

/** The objects of a map of version 2: their number, then left, top, right, bottom, kind and score of each. */
function unpack(code, width, height) {
  const count = code[0];
  if (!(count >= 1 && count <= 16) || code.length < 1 + 5 * count) throw invalid();
  return Array.from({ length: count }, (_, i) => {
    const [left, top, right, bottom, rest] = code.subarray(1 + 5 * i, 6 + 5 * i);
    if (left >= right || top >= bottom) throw invalid();
    const x = Math.floor((left * width) / PARTS),
      y = Math.floor((top * height) / PARTS);
    const box = {
      x,
      y,
      width: Math.ceil((right * width) / PARTS) - x,
      height: Math.ceil((bottom * height) / PARTS) - y,
    };
    const score = Math.round((100 * (rest % (SCORES + 1))) / SCORES) / 100;
    const side = Math.floor(Math.sqrt((right - left) * (bottom - top))),
      weight = Math.floor(Math.sqrt(256 * side)) * (rest % (SCORES + 1)); // in policy `balanced`
    return { edges: [left, top, right, bottom], kind: KINDS[rest > SCORES ? 1 : 0], box, score, weight };
  });
}

/** A map and values derived from it, computed once. Made by `decode`; immutable. */
export class Grid {
  constructor(levels, columns, rows, width, height, symmetric, rotated, objects = []) {
    Object.assign(this, { levels, columns, rows, width, height, symmetric, rotated, objects });
    const across = new Array(columns).fill(0),
      down = new Array(rows).fill(0);
    levels.forEach((level, i) => {
      across[i % columns] += level;
      down[Math.floor(i / columns)] += level;
    });
    this.across = new Profile(across, width, height);
    this.down = new Profile(down, height, width);
    /** The saliency of the whole picture, in pixel x cell units. */
    this.total = across.reduce((sum, level) => sum + level) * width * height;
    this.flat = levels.every((level) => level === levels[0]);
  }

  /** The salient points, the highest first; none when the map is flat. @returns {Point[]} */
  get points() {
    return (this.cachedPoints ??= find(this));
  }

  /** The range of ratios whose window keeps 0.80 of the importance; null where none does. @returns {?[string, string]} */
  get goodRatios() {
    return this.cachedRatios === undefined ? (this.cachedRatios = goodSpan(this)) : this.cachedRatios;
  }
}

/** Windows along one axis, over the full other axis: `levels` are summed across it, `across` is its pixels. */
class Profile {
  constructor(levels, side, across) {
    const cells = levels.length,
      upto = [0],
      beside = [];
    levels.forEach((level) => upto.push(upto.at(-1) + level * side));
    for (let i = 0; i <= cells; i++) beside.push(Math.floor((i * side) / cells), Math.ceil((i * side) / cells));
    Object.assign(this, { side, cells, across, upto, levels: [...levels, 0], beside });
  }

  reach(pixels) {
    const cell = Math.floor((pixels * this.cells) / this.side),
      rest = pixels * this.cells - cell * this.side;
    return this.upto[cell] + rest * this.levels[cell];
  }

  sum(offset, length) {
    return (this.reach(offset + length) - this.reach(offset)) * this.across;
  }

  /** Offsets that include the best window: the pixels beside each bend of the sum, the ends and the middle; and `more`. */
  bends(length, more = []) {
    const room = this.side - length,
      half = Math.floor(room / 2),
      found = new Set([half, room - half]);
    const add = (offset) => found.add(Math.min(Math.max(offset, 0), room));
    for (const pixel of this.beside) (add(pixel), add(pixel - length));
    more.forEach(add);
    return [...found];
  }
}

/** (row, column) -> exact sum over the width x height box with its corner at (xs[column], ys[row]). */
function summing(grid, xs, ys, width, height) {
  if (height === grid.height) {
    const sums = xs.map((x) => grid.across.sum(x, width));
    return (row, column) => sums[column];
  }
  if (width === grid.width) {
    const sums = ys.map((y) => grid.down.sum(y, height));
    return (row) => sums[row];
  }
  const bands = []; // a Profile for each row of cells
  for (let row = 0; row < grid.rows; row++)
    bands.push(new Profile([...grid.levels.subarray(row * grid.columns, (row + 1) * grid.columns)], grid.width, 1));
  const sums = xs.map((x) => {
    const column = new Profile(
      bands.map((band) => band.sum(x, width)),
      grid.height,
      1,
    );
    return ys.map((y) => column.sum(y, height));
  });
  return (row, column) => sums[column][row];
}

const sumOf = (grid, box) => summing(grid, [box.x], [box.y], box.width, box.height)(0, 0);

// ---- placing a box

/** left, top, right, bottom in pixels, rounded outwards. */
const edgesOf = ({ x, y, width, height }, grid) => [
  Math.max(Math.floor(x * grid.width + SLACK), 0),
  Math.max(Math.floor(y * grid.height + SLACK), 0),
  Math.min(Math.ceil((x + width) * grid.width - SLACK), grid.width),
  Math.min(Math.ceil((y + height) * grid.height - SLACK), grid.height),
];

function isMet(constraint, box, grid) {
  const [left, top, right, bottom] = edgesOf(constraint, grid);
  if (constraint.kind === "keep")
    return box.x <= left && box.y <= top && right <= box.x + box.width && bottom <= box.y + box.height;
  return right <= box.x || bottom <= box.y || box.x + box.width <= left || box.y + box.height <= top;
}

/** The constraints that one box of width x height can meet together: each that agrees with the ones before it. */
function compatible(grid, width, height, constraints) {
  const kept = [];
  for (const each of constraints) if (place(grid, width, height, [0, 0], [...kept, each], [])) kept.push(each);
  return kept;
}

/**
 * The best box of width x height. Without `aim` the one with the largest sum or `value`, of equal ones the nearest to the middle;
 * with `aim` the one whose corner is nearest to that pixel. It meets all constraints, and its intersection over union
 * with each box in `apart` is at most 0.5. null when there is none.
 * @returns {Box|null}
 */
function place(grid, width, height, aim, constraints, apart, value = null) {
  const both = width < grid.width && height < grid.height;
  let xs = aim ? [aim[0]] : width < grid.width ? grid.across.bends(width, value?.turnsX(width, both)) : [0];
  let ys = aim ? [aim[1]] : height < grid.height ? grid.down.bends(height, value?.turnsY(height, both)) : [0];
  let left = 0,
    top = 0,
    right = grid.width - width,
    bottom = grid.height - height;
  const avoid = [];
  for (const constraint of constraints) {
    const edges = edgesOf(constraint, grid);
    if (constraint.kind === "keep") {
      left = Math.max(left, edges[2] - width);
      right = Math.min(right, edges[0]);
      top = Math.max(top, edges[3] - height);
      bottom = Math.min(bottom, edges[1]);
    } else avoid.push(edges);
  }
  if (left > right || top > bottom) return null;
  if (constraints.length || apart.length) {
    // The best offset may also be at the edge of the allowed range.
    const thirdX = Math.ceil(width / 3),
      thirdY = Math.ceil(height / 3);
    for (const [a, b, c, d] of avoid) (xs.push(a - width, c), ys.push(b - height, d));
    for (const box of apart) (xs.push(box.x - thirdX, box.x + thirdX), ys.push(box.y - thirdY, box.y + thirdY));
    xs = [...new Set(xs.map((x) => Math.min(Math.max(x, left), right)))];
    ys = [...new Set(ys.map((y) => Math.min(Math.max(y, top), bottom)))];
  }
  const allowed = (x, y) =>
    avoid.every(([a, b, c, d]) => x + width <= a || x >= c || y + height <= b || y >= d) &&
    apart.every((box) => {
      const wide = Math.max(width - Math.abs(x - box.x), 0),
        high = Math.max(height - Math.abs(y - box.y), 0);
      return 3 * wide * high <= 2 * width * height; // IoU <= 0.5, in integers
    });
  const sum = aim ? () => 0 : (value?.of ?? summing)(grid, xs, ys, width, height);
  const [aimX, aimY] = aim ? [2 * aim[0], 2 * aim[1]] : [grid.width - width, grid.height - height];
  let best = null,
    most = -Infinity,
    nearest = 0;
  ys.forEach((y, row) =>
    xs.forEach((x, column) => {
      const held = sum(row, column);
      if (held < most || !allowed(x, y)) return;
      const far = (2 * x - aimX) ** 2 + (2 * y - aimY) ** 2;
      const better = held > most || far < nearest || (far === nearest && (y < best.y || (y === best.y && x < best.x)));
      if (better) ((most = held), (nearest = far), (best = { x, y, width, height }));
    }),
  );
  return best;
}

// ---- objects

/** Whether a box of this size can hold the object. */
const fits = ({ edges: [left, top, right, bottom] }, width, height, grid) =>
  (right - left) * grid.width <= PARTS * width && (bottom - top) * grid.height <= PARTS * height;

/** [the object's area inside a box, its whole area], as integers. */
function insideOf({ edges }, box, grid) {
  const [left, top, right, bottom] = edges.map((edge, i) => edge * (i % 2 ? grid.height : grid.width));
  const wide = Math.min(right, PARTS * (box.x + box.width)) - Math.max(left, PARTS * box.x),
    high = Math.min(bottom, PARTS * (box.y + box.height)) - Math.max(top, PARTS * box.y);
  return [Math.max(wide, 0) * Math.max(high, 0), (right - left) * (bottom - top)];
}

/** Of a head, the detector's own box of the face; any other object as it is. */
function shrunk(object) {
  if (object.kind !== "face") return object;
  const [left, top, right, bottom] = object.edges,
    [beside, above, below] = HEAD;
  const side = Math.floor((Math.max(right - left - 2, 0) * beside) / (TWENTIETHS + 2 * beside)),
    share = (part) => Math.floor((Math.max(bottom - top - 2, 0) * part) / (TWENTIETHS + above + below));
  const edges = [
    left > 0 ? left + side : left,
    top > 0 ? top + share(above) : top,
    right < PARTS ? right - side : right,
    bottom < PARTS ? bottom - share(below) : bottom,
  ];
  return { ...object, edges };
}

/** What a box of this size should hold whole: the object, else the face alone; undefined where neither fits. */
const within = (object, { width, height }, grid) =>
  [object, shrunk(object)].find((each) => fits(each, width, height, grid));

/** Whether a box holds the face alone; a head is then whole, too. */
function isAloneWhole(object, box, grid) {
  const [shared, area] = insideOf(shrunk(object), box, grid);
  return LOOSE[object.kind] * (area - shared) <= area;
}

/** The objects seen from a box: a face is whole with 95 % of its area inside, outside with 5 %, cut between; a line of text
 * with 97 and 3 %. The area is that of the face alone where the head is too large for the box and the face is not. */
function held(objects, box, grid) {
  const cut = [],
    avoidable = [];
  let whole = 0,
    outside = 0;
  for (const each of objects) {
    const protectedBox = within(each, box, grid);
    const [shared, area] = insideOf(protectedBox ?? each, box, grid);
    const loose = LOOSE[each.kind];
    if (loose * shared <= area) outside++;
    else if (loose * (area - shared) <= area || (protectedBox && isAloneWhole(each, box, grid))) whole++;
    else {
      cut.push(each);
      if (protectedBox) avoidable.push(each);
    }
  }
  return { whole, cut, outside, avoidable };
}

const isLarge = ({ edges: [left, top, right, bottom] }) => Math.max(right - left, bottom - top) >= LARGE;

/** `face`, `text`, `face,text` or `none` -> the objects of these kinds. Throws a RangeError. */
function protectedOf(grid, protect) {
  const names = protect === "none" ? [] : protect.split(",");
  if (names.some((name) => !KINDS.includes(name)) || new Set(names).size < names.length)
    throw new RangeError(`protect must be none, or any of ${KINDS}`);
  return grid.objects.filter(({ kind }) => names.includes(kind));
}

// ---- a person's focus and the objects

/**
 * Of the boxes of one size that hold the point and meet the constraints, those that cut the fewest objects which would fit,
 * and of these the one nearest to the corner `aim`; `box` itself where it cuts none.
 */
function slide(box, aim, point, objects, constraints, grid) {
  const size = [box.width, box.height],
    picture = [grid.width, grid.height],
    fitting = objects.flatMap((each) => within(each, box, grid) ?? []),
    both = [...fitting, ...objects.map(shrunk).filter((each) => fits(each, box.width, box.height, grid))];
  const cuts = (x, y) => held(objects, { ...box, x, y }, grid).avoidable.length;
  if (!cuts(box.x, box.y)) return box;
  const low = [0, 1].map((axis) => Math.max(Math.ceil(point[axis] * picture[axis]) - size[axis], 0)),
    high = [0, 1].map((axis) => Math.min(Math.floor(point[axis] * picture[axis]), picture[axis] - size[axis])),
    avoid = [];
  for (const constraint of constraints) {
    const edges = edgesOf(constraint, grid);
    if (constraint.kind === "keep")
      for (const axis of [0, 1]) {
        low[axis] = Math.max(low[axis], edges[2 + axis] - size[axis]);
        high[axis] = Math.min(high[axis], edges[axis]);
      }
    else avoid.push(edges);
  }
  if (low[0] > high[0] || low[1] > high[1]) return box;
  const [xs, ys] = [0, 1].map((axis) => {
    const side = picture[axis],
      found = [aim[axis]];
    const ends = both.flatMap((each) => stepsOf(each, axis, side));
    for (const { edges } of both)
      ends.push(Math.floor((edges[axis] * side) / PARTS), Math.ceil((edges[axis + 2] * side) / PARTS));
    for (const end of ends) found.push(end, end - size[axis]);
    for (const edges of avoid) found.push(edges[axis] - size[axis], edges[axis + 2]);
    return [...new Set(found.map((at) => Math.min(Math.max(at, low[axis]), high[axis])))];
  });
  let best = box,
    least = null;
  for (const y of ys)
    for (const x of xs) {
      if (avoid.some(([a, b, c, d]) => x + size[0] > a && x < c && y + size[1] > b && y < d)) continue;
      const order = [cuts(x, y), (2 * (x - aim[0])) ** 2 + (2 * (y - aim[1])) ** 2, y, x],
        at = least?.findIndex((each, i) => each !== order[i]);
      if (!least || (at >= 0 && order[at] < least[at])) ((best = { ...box, x, y }), (least = order));
    }
  return best;
}

// ---- policy `balanced`, in the same order of operations as balance.py and balance_axis.py

/** Sums and moments up to any place along an axis: in cell c, before[c] + levels[c] u and moved[c] + levels[c] u u. */
class Tables {
  constructor(levels, side) {
    this.side = side;
    this.levels = [...levels, 0];
    this.before = [];
    this.moved = [];
    let sum = 0,
      moment = 0;
    this.levels.forEach((level, cell) => {
      const border = cell * side,
        next = border + side,
        square = border * border;
      this.before.push(sum * side - level * border);
      this.moved.push(moment - level * square);
      sum += level;
      moment += level * (next * next - square);
    });
  }

  /** [sum, moment] between two places. */
  between(from, to) {
    const upto = (at) => {
      const cell = Math.floor(at / this.side),
        level = this.levels[cell] * at;
      return [this.before[cell] + level, this.moved[cell] + level * at];
    };
    const [sums, moments] = [upto(to), upto(from)].reduce(([a, b], [c, d]) => [a - c, b - d]);
    return [sums, moments];
  }
}

/** Along one axis, the pixels at which the first and the last edge of a box must be for the object to be whole in it. */
const stepsOf = ({ edges, kind }, low, side) => {
  const first = edges[low],
    last = edges[low + 2],
    loose = LOOSE[kind],
    parts = loose * PARTS;
  return [
    Math.floor(((loose * first + last - first) * side) / parts),
    Math.ceil(((loose * last - last + first) * side) / parts),
  ];
};

/** (length, both) -> the offsets at which an object that fits along one axis becomes whole or outside; for boxes smaller
 * than the picture along both axes also those at which all of it is inside or outside. */
const turnsOf = (objects, low, side) => (length, both) =>
  objects.flatMap((one) => {
    const { edges } = one;
    if ((edges[low + 2] - edges[low]) * side > PARTS * length) return [];
    const ends = stepsOf(one, low, side);
    if (both) ends.push(Math.floor((edges[low] * side) / PARTS), Math.ceil((edges[low + 2] * side) / PARTS));
    return ends.flatMap((end) => [end, end - length]);
  });

/** The measure of boxes of policy `balanced` for `place`. */
function balance(grid, objects, weights) {
  const costing = (one, weight) => ({ ...one, half: Math.floor(weight * one.weight * FINE + 0.5) });
  const faces = objects.filter(({ kind }) => kind === "face"),
    face = faces.length === 1 ? weights.alone : weights.face;
  // Of a face the detector's own box, then the head.
  const costly = objects.map((one) => costing(shrunk(one), one.kind === "face" ? face : weights.text));
  if (weights.head) costly.push(...faces.map((one) => costing(one, weights.head)));
  /** (x, y) -> what the objects that the box there cuts, and half of what those outside, cost: a sum of integers. */
  const costsOf = (width, height) => {
    const fitting = costly.filter((one) => fits(one, width, height, grid));
    return (x, y) => {
      const box = { x, y, width, height };
      let costs = 0;
      for (const one of fitting) {
        const [shared, area] = insideOf(one, box, grid);
        const loose = LOOSE[one.kind];
        if (loose * (area - shared) <= area) continue;
        costs += loose * shared > area ? 2 * one.half : one.half;
      }
      return costs / (2 * OBJECT * FINE);
    };
  };
  const alongOne = (profile, length) => {
    const { side, cells } = profile,
      tables = new Tables(profile.levels.slice(0, cells), side),
      total = profile.upto[cells],
      [middle, mass] = [weights.middle, weights.mass].map((weight) => weight / (2 * side * cells));
    return (offset) => {
      const from = offset * cells,
        to = (offset + length) * cells,
        [inside, moment] = tables.between(from, to);
      let value = inside / total;
      value -= middle * Math.abs(from + to - side * cells);
      value -= mass * (Math.abs((from + to) * inside - moment) / Math.max(inside, 1));
      return value;
    };
  };
  const alongBoth = (xs, ys, width, height) => {
    const { columns, rows, width: wide, height: high } = grid,
      [middleX, massX] = [weights.middle, weights.mass].map((weight) => weight / (2 * wide * columns)),
      [middleY, massY] = [weights.middle, weights.mass].map((weight) => weight / (2 * high * rows)),
      bands = Array.from(
        { length: rows },
        (_, row) => new Tables(grid.levels.subarray(row * columns, (row + 1) * columns), wide),
      );
    return xs.map((x) => {
      const from = x * columns,
        to = (x + width) * columns,
        both = bands.map((band) => band.between(from, to)),
        inside = new Tables(
          both.map(([sums]) => sums),
          high,
        ),
        moved = new Tables(
          both.map(([, moment]) => moment),
          high,
        );
      return ys.map((y) => {
        const above = y * rows,
          below = (y + height) * rows,
          [sums, momentY] = inside.between(above, below),
          [momentX] = moved.between(above, below),
          farX = Math.abs((from + to) * sums - momentX),
          farY = Math.abs((above + below) * sums - momentY),
          most = Math.max(sums, 1);
        let value = sums / grid.total;
        value -=
          middleX * Math.abs(from + to - wide * columns) + middleY * Math.abs(above + below - high * rows);
        value -= massX * (farX / most) + massY * (farY / most);
        return value;
      });
    });
  };
  return {
    turnsX: turnsOf(costly, 0, grid.width),
    turnsY: turnsOf(costly, 1, grid.height),
    of(_, xs, ys, width, height) {
      let value;
      if (height === grid.height) {
        const values = xs.map(alongOne(grid.across, width));
        value = (row, column) => values[column];
      } else if (width === grid.width) {
        const values = ys.map(alongOne(grid.down, height));
        value = (row) => values[row];
      } else {
        const values = alongBoth(xs, ys, width, height);
        value = (row, column) => values[column][row];
      }
      if (!objects.length) return value;
      const costs = costsOf(width, height);
      return (row, column) => value(row, column) - costs(xs[column], ys[row]);
    },
  };
}

// ---- ratios and sizes, exact

/** A decimal number as text -> [numerator, denominator] as BigInts. */
function fraction(text) {
  const [, whole, decimals = ""] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new RangeError(`${text} is not a number`);
  return [BigInt(whole + decimals), 10n ** BigInt(decimals.length)];
}

/** `16:9`, `1.91:1`, `1.7778` or the name of a profile -> [numerator, denominator]. Throws a RangeError. */
function parseRatio(text) {
  const name = String(text).trim(),
    number = "\\d{1,6}(?:\\.\\d{1,6})?";
  const parts = new RegExp(`^(${number})(?::(${number}))?$`).exec(
    Object.hasOwn(PROFILES, name) ? PROFILES[name] : name,
  );
  if (!parts) throw new RangeError(`“${name}” is not width:height, a number or the name of a profile`);
  const [a, b] = fraction(parts[1]),
    [c, d] = fraction(parts[2] ?? "1");
  const p = a * d,
    q = b * c;
  if (!p || !q) throw new RangeError(`“${name}” has a side of zero`);
  if (p > WIDEST * q || q > WIDEST * p) throw new RangeError(`“${name}” is outside 1:${WIDEST} to ${WIDEST}:1`);
  return [p, q];
}

/** The largest box of a ratio, divided by the zoom; rounded half up, at least one pixel. */
function boxSize([p, q], grid, [n, d]) {
  const width = BigInt(grid.width),
    height = BigInt(grid.height);
  const halfUp = (a, b, most) => Math.min(Math.max(Number((2n * a + b) / (2n * b)), 1), most);
  return width * q > height * p
    ? [halfUp(height * p * d, q * n, grid.width), halfUp(height * d, n, grid.height)]
    : [halfUp(width * d, n, grid.width), halfUp(width * q * d, p * n, grid.height)];
}

// ---- zoom=auto, in the same order of operations as zooming.py

const FILLS = [0.3, 0.9],
  CLOSEST = 4n,
  WIDEST_HEAD = [9n, 10n], // of the box's width
  EYES = 0.46, // of a head's box from above
  UPPER_THIRD = 1 / 3;

/** The options of `zoom: "auto"`, checked; null for another zoom. Throws a RangeError. */
function autoZoom({ zoom, fill, align = null, pixels = {}, policy = "auto" }) {
  if (zoom !== "auto") {
    if (fill !== undefined || align) throw new RangeError("fill and align need the zoom auto");
    return null;
  }
  const share = Number(fill ?? 0.6),
    between = (value, [low, high]) => value >= low && value <= high;
  if (!between(share, FILLS)) throw new RangeError("fill must be 0.3 to 0.9");
  if (align && !(between(align.x, [0, 1]) && between(align.y, [0, 1]))) throw new RangeError("align must be 0 to 1");
  if (align && policy !== "auto" && policy !== "focus") throw new RangeError("align is of the policies auto and focus");
  const least = [pixels.width ?? 1, pixels.height ?? 1];
  if (!least.every((side) => Number.isSafeInteger(side) && side >= 1)) throw new RangeError("pixels must be whole");
  return { fill: fraction(String(fill ?? 0.6)), align, pixels: least.map(BigInt) };
}

/** The most important protected face, else the smallest box of cells with 60 % of the importance: edges in parts. */
function findSubject(grid, objects, focus) {
  const holds = ([left, top, right, bottom]) => {
    const x = focus.x * PARTS,
      y = focus.y * PARTS;
    return left <= x && x <= right && top <= y && y <= bottom;
  };
  for (const { kind, edges } of objects)
    if (kind === "face" && (!focus || holds(edges))) return { edges, parts: [PARTS, PARTS], face: true };
  const at = focus ?? grid.points[0];
  if (!at || !grid.points.length) return null;
  const { columns, rows } = grid,
    cell = (place, count) => Math.min(Math.floor(place * count), count - 1);
  return { edges: smallest(grid, cell(at.y, rows), cell(at.x, columns)), parts: [columns, rows], face: false };
}

/** left, top, right, bottom in cells of the smallest box that holds a cell and 60 % of the sum of all; of equally small
 * ones the one with the largest sum, then the upper, the left, the lower. */
function smallest(grid, row, column) {
  const { columns, rows, levels } = grid,
    sums = [new Array(columns + 1).fill(0)]; // up to each row: the sums of the columns before each
  for (let y = 0; y < rows; y++) {
    let line = 0;
    sums.push([0, ...sums[y].slice(1).map((above, x) => above + (line += levels[y * columns + x]))]);
  }
  const least = 3 * sums[rows][columns];
  let best = null,
    box = [0, 0, columns, rows];
  for (let top = 0; top <= row; top++)
    for (let bottom = row + 1; bottom <= rows; bottom++)
      for (let left = 0, right = column + 1; left <= column; left++) {
        const sum = (end) => sums[bottom][end] - sums[top][end] - sums[bottom][left] + sums[top][left];
        while (right <= columns && 5 * sum(right) < least) right++;
        if (right > columns) break; // a box that begins further to the right holds no more
        const key = [(right - left) * (bottom - top), -sum(right), top, left, bottom],
          differs = best ? key.findIndex((part, i) => part !== best[i]) : 0;
        if (!best || (differs >= 0 && key[differs] < best[differs])) ((best = key), (box = [left, top, right, bottom]));
      }
  return box;
}

/** The size of the box around those of these boxes, in their order, that fit into one of wide x high pixels together. */
function together(boxes, wide, high) {
  let around = null;
  for (const each of boxes) {
    const edges = around ? each.map((edge, i) => (i < 2 ? Math.min : Math.max)(edge, around[i])) : each;
    if (edges[2] - edges[0] <= wide && edges[3] - edges[1] <= high) around = edges;
  }
  return around ? [0, 1].map((i) => Math.max(around[i + 2] - around[i], 1)) : [1, 1];
}

/** [numerator, denominator], 1 to 4. Boxes of kind `keep` stay inside where they fit. */
function subjectZoom(subject, { fill, pixels }, [p, q], grid, constraints) {
  const {
    edges: [left, top, right, bottom],
    parts,
    face,
  } = subject;
  const width = BigInt(grid.width),
    height = BigInt(grid.height),
    times = ([a, b], [c, d]) => [a * c, b * d];
  const [wide, high] =
    width * q > height * p
      ? [
          [height * p, q],
          [height, 1n],
        ]
      : [
          [width, 1n],
          [width * q, p],
        ];
  const across = [BigInt(parts[0]), BigInt(right - left) * width],
    down = [BigInt(parts[1]), BigInt(bottom - top) * height]; // inverse
  const limits = [
    times(times(wide, face ? WIDEST_HEAD : fill), across),
    times(times(high, fill), down),
    times(wide, [1n, pixels[0]]),
    times(high, [1n, pixels[1]]),
    [CLOSEST, 1n],
  ];
  const keep = constraints.filter(({ kind }) => kind === "keep").map((one) => edgesOf(one, grid));
  if (keep.length) {
    const largest = boxSize([p, q], grid, [1n, 1n]),
      size = together([...keep, edgesOf(wholeSubject(subject), grid)], ...largest);
    limits.push(times(wide, [1n, BigInt(size[0])]), times(high, [1n, BigInt(size[1])]));
  }
  const zoom = limits.reduce((a, b) => (b[0] * a[1] < a[0] * b[1] ? b : a));
  return zoom[0] < zoom[1] ? [1n, 1n] : zoom;
}

function subjectCorner({ edges: [left, top, right, bottom], parts, face }, align, width, height, grid) {
  const { x, y } = align ?? { x: 0.5, y: face ? UPPER_THIRD : 0.5 };
  const offset = (first, last, count, at, target, length, side) => {
    const low = (first * side) / count,
      high = (last * side) / count;
    let found = Math.floor(low + (high - low) * at - target * length + 0.5);
    if (Math.ceil(high) - Math.floor(low) <= length)
      found = Math.min(Math.max(found, Math.ceil(high) - length), Math.floor(low));
    return Math.min(Math.max(found, 0), side - length);
  };
  return [
    offset(left, right, parts[0], 0.5, x, width, grid.width),
    offset(top, bottom, parts[1], face && !align ? EYES : 0.5, y, height, grid.height),
  ];
}

const wholeSubject = ({ edges: [left, top, right, bottom], parts: [across, down] }) => ({
  kind: "keep",
  x: left / across,
  y: top / down,
  width: (right - left) / across,
  height: (bottom - top) / down,
});

/** The offset of the window that has the point at `target` of its length, inside the picture. */
const aligned = (point, target, length, side) =>
  Math.min(Math.max(Math.floor(point * side - target * length + 0.5), 0), side - length);

// ---- overlays, in the same order of operations as overlay.py

const MOST_OVERLAYS = 4,
  COVERED = 0.1,
  MUCH = 0.1;

/** Checked, with their kind. Throws a RangeError. */
function overlaysOf(overlays) {
  const inside = ({ x, y, width, height }) =>
    x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= 1 + 1e-9 && y + height <= 1 + 1e-9;
  if (overlays.length > MOST_OVERLAYS || !overlays.every(inside))
    throw new RangeError(`overlays are at most ${MOST_OVERLAYS} boxes in fractions of the crop`);
  return overlays.map(({ x, y, width, height }) => ({ kind: "overlay", x, y, width, height }));
}

/** left, top, right, bottom in pixels of the crop; null without a pixel. */
function rectangleOf(overlay, size) {
  const edges = edgesOf(overlay, size);
  return edges[0] < edges[2] && edges[1] < edges[3] ? edges : null;
}

const boxUnder = ([left, top, right, bottom], x, y) => ({
  x: x + left,
  y: y + top,
  width: right - left,
  height: bottom - top,
});

/** Whether more of the object is in the box than may be of one that it does not hold. */
const isUnder = (object, box, grid) => {
  const [shared, area] = insideOf(object, box, grid);
  return LOOSE[object.kind] * shared > area;
};

/** Whether an overlay hides a part of an object, or more than MUCH of a map that is not flat. */
function hides(overlay, box, grid, objects) {
  const rectangle = rectangleOf(overlay, box);
  if (!rectangle) return false;
  const under = boxUnder(rectangle, box.x, box.y);
  if (objects.some((each) => isUnder(each, under, grid))) return true;
  return !grid.flat && sumOf(grid, under) > MUCH * grid.total;
}

/** The measure of boxes of one size for `place`: that of the policy, less what the overlays hide. */
function overlaid(grid, objects, overlays, width, height, base) {
  const rectangles = overlays.map((each) => rectangleOf(each, { width, height })).filter(Boolean),
    both = width < grid.width && height < grid.height;
  const more = (axis, profile, side) =>
    rectangles.flatMap((rectangle) => {
      const first = rectangle[axis],
        last = rectangle[axis + 2];
      return [
        ...(both ? [] : profile.beside.flatMap((pixel) => [pixel - first, pixel - last])),
        ...objects.flatMap(({ edges }) => [
          Math.floor((edges[axis] * side) / PARTS) - last,
          Math.ceil((edges[axis + 2] * side) / PARTS) - first,
        ]),
      ];
    });
  return {
    turnsX: (length, both) => [...(base?.turnsX(length, both) ?? []), ...more(0, grid.across, grid.width)],
    turnsY: (length, both) => [...(base?.turnsY(length, both) ?? []), ...more(1, grid.down, grid.height)],
    of(_, xs, ys) {
      const sum = (base?.of ?? summing)(grid, xs, ys, width, height),
        start = base ? sum : (row, column) => sum(row, column) / grid.total;
      const under = rectangles.map(([left, top, right, bottom]) =>
        summing(
          grid,
          xs.map((x) => x + left),
          ys.map((y) => y + top),
          right - left,
          bottom - top,
        ),
      );
      return (row, column) => {
        const value = under.reduce((rest, each) => rest - each(row, column) / grid.total, start(row, column));
        const hidden = objects.filter((each) =>
          rectangles.some((rectangle) => isUnder(each, boxUnder(rectangle, xs[column], ys[row]), grid)),
        );
        return value - COVERED * hidden.length;
      };
    },
  };
}

// ---- the crop as content management systems store it; fields.py has the rules and the addresses of their documentation

const halfUpTo = (value, places) => Math.floor(value * 10 ** places + 0.5) / 10 ** places,
  percent = (value) => halfUpTo(100 * value, 2),
  inFractions = ([x, y]) => ({ x: halfUpTo(x, 4), y: halfUpTo(y, 4) }),
  areaOf = (x, y, width, height, [wide, high]) => ({
    x: halfUpTo(x / wide, 4),
    y: halfUpTo(y / high, 4),
    width: halfUpTo(width / wide, 4),
    height: halfUpTo(height / high, 4),
  });

/** Fractions of the picture. */
const centreAt = ({ box, picture: [wide, high] }) => [
  (2 * box.x + box.width) / (2 * wide),
  (2 * box.y + box.height) / (2 * high),
];

/** As CSS object-position: shares of the room of the largest box of the ratio. */
const positionOf = ({ box, picture, largest }) => {
  const share = (offset, length, most, side) => {
    const room = 2 * (side - most);
    return room ? Math.min(Math.max(2 * offset + length - most, 0), room) / room : 0.5;
  };
  return [
    share(box.x, box.width, largest[0], picture[0]),
    share(box.y, box.height, largest[1], picture[1]),
  ];
};

const FORMS = {
  wordpress: (cut) => inFractions(positionOf(cut)),
  sanity(cut) {
    const { x, y, width, height } = cut.box,
      [wide, high] = cut.picture;
    return {
      crop: {
        _type: "sanity.imageCrop",
        top: halfUpTo(y / high, 4),
        bottom: halfUpTo((high - y - height) / high, 4),
        left: halfUpTo(x / wide, 4),
        right: halfUpTo((wide - x - width) / wide, 4),
      },
      hotspot: {
        _type: "sanity.imageHotspot",
        ...inFractions(centreAt(cut)),
        width: halfUpTo(width / wide, 4),
        height: halfUpTo(height / high, 4),
      },
    };
  },
  strapi(cut) {
    const [x, y] = positionOf(cut);
    return { x: percent(x), y: percent(y) };
  },
  payload(cut) {
    const [x, y] = centreAt(cut);
    return { focalX: percent(x), focalY: percent(y) };
  },
  contentful(cut) {
    const [across, down] = positionOf(cut).map((at) => (at < 1 / 3 ? 0 : at > 2 / 3 ? 2 : 1));
    const names = [["top", "", "bottom"][down], ["left", "", "right"][across]];
    return names.filter(Boolean).join("_") || "center";
  },
  storyblok({ box }) {
    const left = box.x + Math.floor((box.width - 1) / 2),
      top = box.y + Math.floor((box.height - 1) / 2);
    return `${left}x${top}:${left + 1}x${top + 1}`;
  },
  craft: (cut) => inFractions(centreAt(cut)),
  statamic(cut) {
    const [x, y] = centreAt(cut).map((at) => Math.floor(100 * at + 0.5));
    return `${x}-${y}-${Math.max(halfUpTo(cut.largest[0] / cut.box.width, 2), 1)}`;
  },
  kirby: (cut) =>
    centreAt(cut)
      .map((at) => `${percent(at)}%`)
      .join(" "),
  wagtail: ({ box: { x, y, width, height } }) => ({
    focal_point_x: x + Math.floor(width / 2),
    focal_point_y: y + Math.floor(height / 2),
    focal_point_width: width,
    focal_point_height: height,
  }),
  directus: ({ box: { x, y, width, height } }) => ({
    focal_point_x: x + Math.floor(width / 2),
    focal_point_y: y + Math.floor(height / 2),
  }),
  typo3({ box: { x, y, width, height }, picture, ratio, face }) {
    let focusArea = null;
    if (face) {
      const left = Math.max(face.x, x),
        top = Math.max(face.y, y),
        right = Math.min(face.x + face.width, x + width),
        bottom = Math.min(face.y + face.height, y + height);
      focusArea = areaOf(left - x, top - y, right - left, bottom - top, [width, height]);
    }
    return { default: { cropArea: areaOf(x, y, width, height, picture), selectedRatio: ratio, focusArea } };
  },
};

const fieldsOf = (names, cut) => Object.fromEntries(names.map((name) => [name, FORMS[name](cut)]));

/** The box of the most important face that is whole in a crop. */
const wholeFace = (grid, box) =>
  grid.objects.find((each) => each.kind === "face" && held([each], box, grid).whole)?.box;

/** The ratio as text, a profile resolved. */
const textOf = (ratio) => {
  const name = String(ratio).trim();
  return Object.hasOwn(PROFILES, name) ? PROFILES[name] : name;
};

// ---- crops

/**
 * The crop of one ratio, the same as the server's. Throws a RangeError for an option out of range.
 * @param {Grid} grid @param {string|number} ratio @param {Options} [options] @returns {Crop}
 */
export function crop(grid, ratio, options = {}) {
  const { constraints = [], candidates = 1 } = options,
    focus = focusFor(String(ratio).trim(), options.focus);
  const automatic = autoZoom(options),
    numbers = constraints.flatMap((c) => [c.x, c.y, c.width, c.height]);
  let zoom = fraction(String(automatic ? 1 : (options.zoom ?? 1)));
  if (focus) numbers.push(focus.x, focus.y);
  if (!numbers.every(Number.isFinite)) throw new RangeError("a constraint or the focus is not finite numbers");
  const careful = Number(options.careful ?? CAREFUL);
  if (!(careful >= 0.5 && careful <= 0.99)) throw new RangeError("careful must be 0.5 to 0.99");
  if (zoom[0] < zoom[1] || zoom[0] > 4n * zoom[1]) throw new RangeError("zoom must be 1 to 4, or auto");
  const shape = parseRatio(ratio),
    objects = protectedOf(grid, String(options.protect ?? "face,text"));
  let policy = options.policy ?? "auto",
    subject = null;
  if (policy === "auto") policy = focus ? "focus" : "balanced";
  if (automatic && (subject = findSubject(grid, objects, policy === "focus" ? focus : null))) {
    zoom = subjectZoom(subject, automatic, shape, grid, constraints);
    if ((options.policy ?? "auto") === "auto" && !focus) policy = "subject";
  }
  const [width, height] = boxSize(shape, grid, zoom),
    names = options.fields ? String(options.fields).split(",") : [];
  if (names.some((name) => !Object.hasOwn(FORMS, name)) || new Set(names).size < names.length)
    throw new RangeError(`fields are any of ${Object.keys(FORMS).join(", ")}`);
  let aim =
    policy === "subject"
      ? subjectCorner(subject, automatic.align, width, height, grid)
      : aimOf(grid, policy, width, height, focus, automatic?.align);

  const weights = { ...WEIGHTS, ...options.weights };
  if (!Object.values(weights).every((weight) => weight >= 0 && weight <= 1))
    throw new RangeError("weights must be 0 to 1");
  let value = policy === "balanced" || policy === "careful" ? balance(grid, objects, weights) : null;
  const overlays = overlaysOf(options.overlays ?? []);
  let kept = [...constraints];
  if (overlays.length && policy === "subject") {
    aim = null;
    kept.push(wholeSubject(subject));
  }
  if (overlays.length && !aim) value = overlaid(grid, objects, overlays, width, height, value);
  let box = place(grid, width, height, aim, kept, [], value);
  if (!box) {
    kept = compatible(grid, width, height, kept);
    box = place(grid, width, height, aim, kept, [], value);
  }
  if (policy === "careful") box = carefully(grid, box, kept, objects, careful);
  if (policy === "focus" && focus && !automatic && objects.length)
    box = slide(box, aim, [focus.x, focus.y], objects, kept, grid);
  const taken = [box];
  while (taken.length < candidates) {
    const other = place(grid, width, height, null, kept, taken, value);
    if (!other) break;
    taken.push(other);
  }
  const share = (one) => sumOf(grid, one) / grid.total;
  const cut = { box, picture: [grid.width, grid.height], largest: boxSize(shape, grid, [1n, 1n]) };
  const whole = width === grid.width && height === grid.height,
    [importance_fraction, centre_fraction] = sharesOf(grid, box);
  const seen = grid.objects.length ? held(objects, box, grid) : null;
  return {
    box,
    policy,
    zoom: Number(zoom[0]) / Number(zoom[1]),
    importance_fraction,
    centre_fraction,
    gain: importance_fraction - centre_fraction,
    beats_centre: beatsCentre(grid, box),
    whole,
    verdict: whole ? "good" : verdictOf(importance_fraction, seen),
    objects: seen,
    unmet: [
      ...constraints.filter((constraint) => !isMet(constraint, box, grid)),
      ...overlays.filter((each) => hides(each, box, grid, objects)),
    ],
    // In two dimensions a later search may find a better one, so they are sorted.
    alternatives: taken
      .slice(1)
      .map((other) => ({
        box: other,
        importance_fraction: share(other),
        verdict: verdictOf(share(other), held(objects, other, grid)),
      }))
      .sort((a, b) => b.importance_fraction - a.importance_fraction),
    ...(names.length && { fields: fieldsOf(names, { ...cut, ratio: textOf(ratio), face: wholeFace(grid, box) }) }),
  };
}

/** Never `good` where a large one of the objects is cut through. */
function verdictOf(importance, objects) {
  if (importance >= GOOD && !objects?.cut.some(isLarge)) return "good";
  return importance >= TIGHT ? "tight" : "poor";
}

/** A person's point for this profile, else for all. `focus` may be the document's, which may be the network's own. */
function focusFor(name, focus) {
  const { profiles = {}, source = "person" } = focus ?? {};
  return Object.hasOwn(profiles, name) ? profiles[name] : source === "person" ? (focus ?? null) : null;
}

/** The corner of the centre crop of a box's size. */
const middleOf = (grid, { width, height }) => [
  Math.floor((grid.width - width) / 2),
  Math.floor((grid.height - height) / 2),
];

/** The importance of a box and of the centre crop of its size. */
function sharesOf(grid, box) {
  const [x, y] = middleOf(grid, box);
  return [box, { ...box, x, y }].map((one) => sumOf(grid, one) / grid.total);
}

/** The chance that people's gaze is kept better than by the centre crop; 0.5 where it is the same. */
function beatsCentre(grid, box) {
  const [x, y] = middleOf(grid, box);
  if (x === box.x && y === box.y) return 0.5;
  const [kept, centred] = sharesOf(grid, box),
    gain = kept - centred,
    moved = Math.abs(box.x - x) / grid.width + Math.abs(box.y - y) / grid.height,
    area = (box.width * box.height) / (grid.width * grid.height);
  const logit = (share) => {
    const bounded = Math.min(Math.max(share, 0.001), 1 - 0.001);
    return Math.log(bounded / (1 - bounded));
  };
  const features = [gain, logit(kept) - logit(centred), gain / area, moved],
    score = features.reduce((sum, each, i) => sum + BEATS[i] * each, 0);
  return 1 / (1 + Math.exp(-Math.min(Math.max(score, -30), 30)));
}

/** The balanced box, where it surely enough beats the centre crop or saves an object that this would cut; else the centre
 * crop, or with constraints the nearest box to it that meets them. */
function carefully(grid, box, kept, objects, least) {
  const stay = place(grid, box.width, box.height, middleOf(grid, box), kept, []);
  if (!stay || beatsCentre(grid, box) >= least) return box;
  const { cut } = held(objects, box, grid);
  return held(objects, stay, grid).avoidable.some((each) => !cut.includes(each)) ? box : stay;
}

/** The corner of the box that the policy aims at; null: the one with the largest sum. */
function aimOf(grid, policy, width, height, focus, align = null) {
  if (["window", "balanced", "careful"].includes(policy)) return null;
  let at = null;
  if (policy === "focus" && align)
    return [aligned(focus.x, align.x, width, grid.width), aligned(focus.y, align.y, height, grid.height)];
  if (policy === "focus") at = focus;
  else if (policy === "point" && !grid.symmetric) at = grid.points[0];
  else if (policy !== "point" && policy !== "centre") throw new RangeError(`there is no policy ${policy}`);
  if (!at) return middleOf(grid, { width, height });
  const centred = (point, length, side) =>
    Math.min(Math.max(Math.floor(point * side - length / 2 + 0.5), 0), side - length);
  return [centred(at.x, width, grid.width), centred(at.y, height, grid.height)];
}

/** The limits as fractions of smallest terms, at most 1 % inside the exact ones. @returns {?[string, string]} */
function goodSpan(grid) {
  const leastGood = (profile) => {
    let low = 1,
      high = profile.side;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const good = profile.bends(middle).some((offset) => profile.sum(offset, middle) >= GOOD * grid.total);
      if (good) high = middle;
      else low = middle + 1;
    }
    return BigInt(low);
  };
  const width = BigInt(grid.width),
    height = BigInt(grid.height),
    most = [WIDEST, 1n],
    least = [1n, WIDEST];
  const less = (a, b) => a[0] * b[1] < b[0] * a[1];
  let narrow = [leastGood(grid.across), height],
    broad = [width, leastGood(grid.down)];
  if (less(narrow, least)) narrow = least;
  if (less(most, broad)) broad = most;
  if (less(most, narrow) || less(broad, least)) return null; // no ratio in 1:20 to 20:1 is good
  const inwards = [narrow[0] * 101n, narrow[1] * 100n],
    outwards = [broad[0] * 99n, broad[1] * 100n];
  const from = simplest(narrow, less(inwards, broad) ? inwards : broad);
  return [from.join(":"), simplest(less(outwards, narrow) ? narrow : outwards, broad).join(":")];
}

/** The fraction of smallest terms in [low, high], by descent in the Stern-Brocot tree. */
function simplest(low, high) {
  const whole = low[0] / low[1];
  if (whole * low[1] === low[0]) return [whole, 1n];
  if ((whole + 1n) * high[1] <= high[0]) return [whole + 1n, 1n];
  const [p, q] = simplest([high[1], high[0] - whole * high[1]], [low[1], low[0] - whole * low[1]]);
  return [whole * p + q, p];
}

/** Separated local maxima with sub-cell positions, after smoothing with the binomial kernel (1, 4, 6, 4, 1). */
function find(grid) {
  if (grid.flat) return [];
  const { rows, columns } = grid,
    inside = (i, count) => Math.min(Math.max(i, 0), count - 1);
  const at = (values, row, column) => values[inside(row, rows) * columns + inside(column, columns)];
  const blurred = (values, down, right) =>
    values.map((_, i) => {
      const row = Math.floor(i / columns),
        column = i % columns;
      return [1, 4, 6, 4, 1].reduce(
        (sum, weight, k) => sum + weight * at(values, row + (k - 2) * down, column + (k - 2) * right),
        0,
      );
    });
  const smooth = blurred(blurred([...grid.levels], 1, 0), 0, 1),
    top = Math.max(...smooth);
  const steps = [-1, 0, 1];
  const candidates = [...smooth.keys()].filter((i) => {
    const row = Math.floor(i / columns),
      column = i % columns;
    return (
      smooth[i] >= LEAST * top && steps.every((a) => steps.every((b) => at(smooth, row + a, column + b) <= smooth[i]))
    );
  });
  candidates.sort((a, b) => smooth[b] - smooth[a]); // stable: of equal ones the upper, then the left comes first
  const vertex = (before, here, after) => {
    const bend = before - 2 * here + after;
    return bend ? (before - after) / (2 * bend) : 0;
  };
  const points = [];
  for (const i of candidates) {
    const row = Math.floor(i / columns),
      column = i % columns,
      here = smooth[i];
    const x = (column + 0.5 + vertex(at(smooth, row, column - 1), here, at(smooth, row, column + 1))) / columns;
    const y = (row + 0.5 + vertex(at(smooth, row - 1, column), here, at(smooth, row + 1, column))) / rows;
    if (points.every((other) => Math.max(Math.abs(x - other.x), Math.abs(y - other.y)) >= APART))
      points.push({ x, y, score: here / top });
    if (points.length === MOST) break;
  }
  return points;
}

// ---- art direction: a crop for each width of the page

const LONGEST_TEXT = 400,
  WIDEST_PAGE = 10000;
const escaped = (text) =>
  text.replace(/[&<>"']/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" })[sign]);

/**
 * A <picture>. `sources`: media query, address, width and height of each crop; the last one, without a query, is the img.
 * @param {[?string, string, number, number][]} sources @param {string} [alt]
 */
export function markup(sources, alt = "") {
  const lines = sources.map(([media, src, width, height]) => {
    const size = `width="${width}" height="${height}"`;
    return media === null
      ? `  <img src="${escaped(src)}" ${size} alt="${escaped(alt)}">`
      : `  <source media="${escaped(media)}" srcset="${escaped(src)}" ${size}>`;
  });
  return ["<picture>", ...lines, "</picture>"].join("\n");
}

/**
 * The server's picture element for `story@480,1:1@1024,16:9`: each ratio up to a width of the page in CSS pixels, one for
 * wider pages. `src`: the template of the addresses, with {ratio}, {x}, {y}, {width} and {height}. Throws a RangeError.
 * @param {Grid} grid @param {string} breakpoints @param {Options & {src?: string, alt?: string}} [options] @returns {string}
 */
export function picture(grid, breakpoints, { src = "{ratio}.jpg", alt = "", ...options } = {}) {
  const found = String(breakpoints)
    .split(",")
    .map((part) => {
      const [, ratio, width] = /^\s*([^@]*)(?:@(\d+))?\s*$/.exec(part) ?? [];
      if (ratio === undefined || (width && !(width >= 1 && width <= WIDEST_PAGE)))
        throw new RangeError(`“${part}” is not a ratio with a width of 1 to ${WIDEST_PAGE} pixels`);
      return { ratio: ratio.trim(), width: width ? Number(width) : Infinity };
    })
    .sort((a, b) => (a.width < b.width ? -1 : 1));
  const widths = new Set(found.map(({ width }) => width));
  if (found.length > 16 || widths.size < found.length || !widths.has(Infinity))
    throw new RangeError("at most 16 ratios, each width once, and one ratio without");
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(src);
  const unfit = !src || src.length > LONGEST_TEXT || /[\x00-\x20\x7f-\xa0\u2028\u2029]|^,|,$/.test(src);
  if (unfit || (scheme && !/^https?:$/i.test(scheme[0])) || alt.length > LONGEST_TEXT)
    throw new RangeError("src is an address, relative or http(s), without white space");
  const rows = found.map(({ ratio, width }) => {
    const { box } = crop(grid, ratio, options),
      values = { ...box, ratio: ratio.replaceAll(":", "x") };
    const address = src.replace(/\{([^{}]*)\}|[{}]/g, (_, name) => {
      if (name === undefined || !Object.hasOwn(values, name)) throw new RangeError(`src has no placeholder {${name}}`);
      return values[name];
    });
    return [width === Infinity ? null : `(max-width: ${width}px)`, address, box.width, box.height];
  });
  return markup(rows, alt);
}

// ---- <img data-gazecrop>

/** CSS `object-position` that shows a box of full width or height with `object-fit: cover`. @param {Box} box */
export function objectPosition(grid, box) {
  const part = (offset, room) => (room ? Math.round((1e4 * offset) / room) / 100 : 50);
  return `${part(box.x, grid.width - box.width)}% ${part(box.y, grid.height - box.height)}%`;
}

/**
 * Makes every <img data-gazecrop> in `root` show the crop for its current aspect ratio. Runs automatically for the
 * images of the page when it loads; call it for images that are added later.
 * @param {ParentNode} [root]
 */
export function watch(root = document) {
  for (const image of root.querySelectorAll("img[data-gazecrop]")) resizeObserver.observe(image);
}

const grids = new Map(); // by encoded string
const resizeObserver =
  globalThis.ResizeObserver &&
  new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) cropImage(target, contentRect.width, contentRect.height);
  });

function cropImage(image, width, height) {
  if (width < 1 || height < 1) return;
  const text = image.dataset.gazecrop;
  image.style.objectFit = "cover";
  try {
    if (!grids.has(text)) grids.set(text, decode(text));
    const grid = grids.get(text),
      shape = Math.min(Math.max(width / height, 0.05), 20).toFixed(6);
    const [x, y] = (image.dataset.gazecropFocus ?? "").split(",").map(Number);
    const focus = image.dataset.gazecropFocus && x >= 0 && x <= 1 && y >= 0 && y <= 1 ? { x, y } : null;
    image.style.objectPosition = objectPosition(grid, crop(grid, shape, { focus }).box);
  } catch (error) {
    console.warn("data-gazecrop:", error.message); // the image stays, cropped at its centre
  }
}

if (globalThis.document) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => watch());
  else watch();
}
