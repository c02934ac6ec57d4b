/** An edit as Konva's nodes: the group that turns and mirrors, lines and texts, the frame of a cut. */

const FONT = "system-ui, sans-serif";

/** The group whose inside is the unedited picture. @param {import("./edits.js").Edit} edit */
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
  const { x, y, text, turns, flipped } = item; // upright in the picture as it stood then
  const rotation = flipped ? 90 * turns : -90 * turns,
    scaleX = flipped ? -1 : 1;
  const made = new Konva.Text({
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
  made.offset({ x: made.width() / 2, y: made.height() / 2 });
  return made;
}

/** What is to be left of a picture: dragged by its handles, or moved and sized in steps. */
export class Frame {
  /** @param {any} layer emptied already */
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
      x: between(x, 0, wide - this.now.width),
      y: between(y, 0, high - this.now.height),
    }));
    const shade = new Konva.Shape({
      listening: false,
      sceneFunc: (context) => {
        const { x, y, width, height } = this.now;
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
      width >= LEAST && height >= LEAST && x >= -1 && y >= -1 && x + width <= wide + 1 && y + height <= high + 1;
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
  get now() {
    const { rect } = this;
    return { x: rect.x(), y: rect.y(), width: rect.width() * rect.scaleX(), height: rect.height() * rect.scaleY() };
  }

  /** In fractions of the shown picture. */
  get box() {
    const { x, y, width, height } = this.now,
      { wide, high } = this;
    const left = between(x / wide, 0, 1),
      top = between(y / high, 0, 1);
    return {
      x: left,
      y: top,
      width: between((x + width) / wide, 0, 1) - left,
      height: between((y + height) / high, 0, 1) - top,
    };
  }

  step([right, down], size) {
    const { x, y, width, height } = this.now,
      { wide, high } = this,
      by = wide / 50;
    if (size)
      this.rect.setAttrs({
        scaleX: 1,
        scaleY: 1,
        width: between(width + right * by, LEAST, wide - x),
        height: between(height + down * by, LEAST, high - y),
      });
    else
      this.rect.setAttrs({ x: between(x + right * by, 0, wide - width), y: between(y + down * by, 0, high - height) });
  }
}

const LEAST = 12; // pixels of the screen that a frame is wide and high
const between = (value, least, most) => Math.min(Math.max(value, least), most);
