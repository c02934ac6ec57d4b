/** An edit as Konva nodes: the group that rotates and mirrors, lines and texts, the frame of the crop tool. */

const FONT = "system-ui, sans-serif";

/** The group whose coordinates are pixels of the unedited picture. @param {import("./edits.js").Edit} edit */
export function groupOf({ crop, turns, flipped }, stage, fit) {
  return new Konva.Group({
    x: stage.width() / 2,
    y: stage.height() / 2,
    rotation: 90 * turns,
    scaleX: flipped ? -fit : fit,
    scaleY: fit,
    offsetX: crop.x + crop.width / 2,
    offsetY: crop.y + crop.height / 2,
  });
}

/** @param {import("./edits.js").Line|import("./edits.js").Text} item */
export function nodeOf(item, i) {
  const id = `item-${i}`,
    { size, colour } = item;
  if (item.kind === "line")
    return new Konva.Line({
      id,
      points: item.points,
      stroke: colour,
      strokeWidth: size,
      lineCap: "round",
      lineJoin: "round",
      tension: 0.3,
      listening: false,
    });
  const { x, y, text, turns, flipped } = item; // upright in the orientation that the picture had then
  const rotation = flipped ? 90 * turns : -90 * turns,
    scaleX = flipped ? -1 : 1;
  const node = new Konva.Text({
    id,
    x,
    y,
    text,
    rotation,
    scaleX,
    fill: colour,
    fontSize: size,
    fontStyle: "600",
    fontFamily: FONT,
  });
  node.offset({ x: node.width() / 2, y: node.height() / 2 });
  return node;
}

/** The frame of the crop tool: dragged by its handles, or moved and resized in steps. */
export class Frame {
  /** @param {any} layer an empty Konva layer */
  constructor(layer) {
    this.wide = layer.width();
    this.high = layer.height();
    const { wide, high } = this;
    this.rect = new Konva.Rect({
      x: wide * 0.1,
      y: high * 0.1,
      width: wide * 0.8,
      height: high * 0.8,
      fill: "#ffffff01",
      stroke: "#fff",
      strokeWidth: 1,
      draggable: true,
    });
    this.rect.dragBoundFunc(({ x, y }) => ({
      x: clamp(x, 0, wide - this.screenBox.width),
      y: clamp(y, 0, high - this.screenBox.height),
    }));
    const shade = new Konva.Shape({
      listening: false,
      sceneFunc: (context) => {
        const { x, y, width, height } = this.screenBox;
        context.fillStyle = "#0009";
        for (const side of [
          [0, 0, wide, y],
          [0, y + height, wide, high - y - height],
          [0, y, x, height],
          [x + width, y, wide - x - width, height],
        ])
          context.fillRect(...side);
      },
    });
    const inside = ({ x, y, width, height }) =>
      width >= MIN_SIDE && height >= MIN_SIDE && x >= -1 && y >= -1 && x + width <= wide + 1 && y + height <= high + 1;
    const handles = new Konva.Transformer({
      nodes: [this.rect],
      rotateEnabled: false,
      flipEnabled: false,
      keepRatio: false,
      anchorSize: 18,
      anchorCornerRadius: 9,
      ignoreStroke: true,
      boundBoxFunc: (old, box) => (inside(box) ? box : old),
    });
    layer.add(shade, this.rect, handles);
  }

  /** In pixels of the screen. */
  get screenBox() {
    const { rect } = this;
    return { x: rect.x(), y: rect.y(), width: rect.width() * rect.scaleX(), height: rect.height() * rect.scaleY() };
  }

  /** In fractions of the displayed picture. */
  get box() {
    const { x, y, width, height } = this.screenBox,
      { wide, high } = this;
    const left = clamp(x / wide, 0, 1),
      top = clamp(y / high, 0, 1);
    return {
      x: left,
      y: top,
      width: clamp((x + width) / wide, 0, 1) - left,
      height: clamp((y + height) / high, 0, 1) - top,
    };
  }

  /** @param {number[]} direction @param {boolean} resize else it is moved */
  step([right, down], resize) {
    const { x, y, width, height } = this.screenBox,
      { wide, high } = this,
      by = wide / 50;
    if (resize)
      this.rect.setAttrs({
        scaleX: 1,
        scaleY: 1,
        width: clamp(width + right * by, MIN_SIDE, wide - x),
        height: clamp(height + down * by, MIN_SIDE, high - y),
      });
    else
      this.rect.setAttrs({ x: clamp(x + right * by, 0, wide - width), y: clamp(y + down * by, 0, high - height) });
  }
}

const MIN_SIDE = 12; // of a frame, in pixels of the screen
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
