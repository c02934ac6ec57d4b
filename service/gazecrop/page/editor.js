/** The editor: applies the tools to the edit and displays it. */
import { Frame, groupOf, nodeOf } from "./drawing.js";
import { History, cut, onlyMirrored, sizeOf, unedited } from "./edits.js";
import { dialogFor } from "./editor_dialog.js";
import { element } from "./state.js";

const MAX_SIDE = 6000; // of the edited picture, in pixels: some browsers cannot draw a canvas of more than 8,000

export class Editor {
  /** @param {HTMLImageElement|HTMLCanvasElement} image upright @param {HTMLElement} container */
  constructor(image, container) {
    this.image = image;
    this.history = new History(unedited(image.width, image.height));
    this.mode = "move";
    this.selected = -1; // index of the selected text among the items; -1: none
    Object.assign(this, dialogFor(this));
    container.replaceChildren(this.dialog);
    this.dialog.showModal();
    this.stage = new Konva.Stage({ container: this.canvas, width: 1, height: 1 });
    this.layers = {
      picture: new Konva.Layer({ listening: false }),
      items: new Konva.Layer(),
      tools: new Konva.Layer(),
    };
    this.stage.add(...Object.values(this.layers));
    this.resizeObserver = new ResizeObserver(() => this.draw());
    this.resizeObserver.observe(this.canvas.parentElement);
    this.listen();
    this.draw();
    this.canvas.focus();
  }

  get now() {
    return this.history.now;
  }

  add(edit) {
    this.history.add(edit);
    this.draw();
  }

  /** @param {"undo"|"redo"} step */
  go(step) {
    this.history[step]();
    this.selected = -1;
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    this.selected = -1;
    this.draw();
    if (mode === "text") this.text.focus();
  }

  /** The unit of line widths and font sizes, relative to the picture: 1/200 of its longer side. */
  get unit() {
    return Math.max(this.image.width, this.image.height) / 200;
  }

  // ---- display

  draw() {
    const { now, mode } = this,
      size = sizeOf(now),
      frame = this.canvas.parentElement;
    this.fit = Math.min(frame.clientWidth / size.width, frame.clientHeight / size.height);
    this.stage.size({ width: size.width * this.fit, height: size.height * this.fit });
    for (const name of ["picture", "items"]) {
      const group = groupOf(now, this.stage, this.fit);
      this.layers[name].destroyChildren().add(group);
      if (name === "picture") group.add(new Konva.Image({ image: this.image, x: 0, y: 0 }));
      else now.items.forEach((item, i) => group.add(this.selectable(nodeOf(item, i), i)));
    }
    this.layers.tools.destroyChildren();
    if (mode === "crop") this.frame = new Frame(this.layers.tools);
    if (this.selected >= 0)
      this.layers.tools.add(
        new Konva.Rect({
          ...this.layers.items.findOne(`#item-${this.selected}`).getClientRect(),
          stroke: "#fff",
          dash: [6, 4],
          shadowColor: "#000",
          shadowBlur: 3,
          listening: false,
        }),
      );
    this.undo.disabled = this.history.first;
    this.redo.disabled = this.history.last;
    for (const name of ["crop", "draw", "text"])
      this.dialog.querySelector(`#edit-${name}`).ariaPressed = String(mode === name);
    this.cropTools.hidden = mode !== "crop";
    this.textTools.hidden = mode !== "text";
    this.styleTools.hidden = mode === "crop" || (mode === "move" && this.selected < 0);
    this.canvas.dataset.mode = mode;
  }

  /** Makes a text selectable and draggable, unless another tool is in use. */
  selectable(node, i) {
    if (node.className !== "Text" || this.mode === "draw" || this.mode === "crop") return node.listening(false);
    node.draggable(true);
    node.on("pointerdown", () => (this.selected = i));
    node.on("click tap", () => this.select(i));
    node.on("dragend", () => this.replace(i, { x: node.x(), y: node.y() }));
    return node;
  }

  // ---- text and lines

  listen() {
    let points = null;
    const position = () => {
      const { x, y } = this.layers.picture.findOne("Group").getRelativePointerPosition();
      return [x, y];
    };
    this.stage.on("pointerdown", () => {
      if (this.mode === "draw") points = position();
    });
    this.stage.on("pointermove", () => {
      if (!points) return;
      points.push(...position());
      this.layers.tools
        .destroyChildren()
        .add(groupOf(this.now, this.stage, this.fit).add(nodeOf(this.line(points), "new")));
    });
    const end = () => {
      if (points?.length > 2) this.add({ ...this.now, items: [...this.now.items, this.line(points)] });
      points = null;
    };
    this.stage.on("pointerup", end);
    this.dialog.addEventListener("pointerup", end); // also outside of the picture
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target === this.text) return;
      event.preventDefault();
      this.go(event.shiftKey ? "redo" : "undo");
    });
  }

  line(points) {
    return { kind: "line", points: [...points], colour: this.colour.value, size: this.size.value * this.unit * 0.35 };
  }

  placeText() {
    const text = this.text.value.trim(),
      { crop, turns, flipped, items } = this.now;
    if (!text) return this.text.focus();
    if (this.selected >= 0) return this.replace(this.selected, { text });
    this.selected = items.length;
    const item = {
      kind: "text",
      text,
      x: crop.x + crop.width / 2,
      y: crop.y + crop.height / 2,
      colour: this.colour.value,
      size: this.size.value * this.unit * 2,
      turns,
      flipped,
    };
    this.add({ ...this.now, items: [...items, item] });
    this.canvas.focus();
  }

  select(i) {
    const item = this.now.items[i];
    this.mode = "text";
    this.selected = i;
    this.text.value = item.text;
    this.colour.value = item.colour;
    this.size.value = item.size / this.unit / 2;
    this.draw();
  }

  applyStyle() {
    if (this.selected >= 0)
      this.replace(this.selected, { colour: this.colour.value, size: this.size.value * this.unit * 2 });
  }

  replace(i, changes) {
    this.add({ ...this.now, items: this.now.items.map((item, k) => (k === i ? { ...item, ...changes } : item)) });
  }

  cut() {
    this.mode = "move";
    this.add(cut(this.now, this.frame.box));
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Delete" && this.selected >= 0) {
      const items = this.now.items.filter((_, i) => i !== this.selected);
      this.selected = -1;
      this.add({ ...this.now, items });
    }
    if (!step || (this.mode !== "crop" && this.selected < 0)) return;
    event.preventDefault();
    if (this.mode === "crop") return this.frame.step(step, event.shiftKey);
    const item = this.now.items[this.selected],
      { turns, flipped } = this.now;
    if (event.shiftKey)
      return this.replace(this.selected, { size: Math.max(item.size + (step[0] - step[1]) * this.unit, this.unit) });
    let [x, y] = step; // in the displayed picture; rotated back to the unedited one
    for (let i = 0; i < turns; i++) [x, y] = [y, -x];
    this.replace(this.selected, { x: item.x + (flipped ? -x : x) * 2 * this.unit, y: item.y + y * 2 * this.unit });
  }

  // ---- result

  /** Resolves when the user closes the dialog: with the result, or with null after Cancel. */
  run() {
    return new Promise((done) => {
      this.end = (accepted) => done(accepted && this.result());
      this.dialog.addEventListener("close", () => done(null));
    });
  }

  result() {
    const size = sizeOf(this.now),
      scale = Math.min(1, MAX_SIDE / Math.max(size.width, size.height));
    this.layers.tools.hide();
    const drawn = this.stage.toCanvas({ pixelRatio: scale / this.fit });
    const canvas = element("canvas", {
      width: Math.max(1, Math.round(size.width * scale)),
      height: Math.max(1, Math.round(size.height * scale)),
    });
    canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
    return {
      canvas,
      mirrored: onlyMirrored(this.now, { width: this.image.width, height: this.image.height }),
    };
  }

  close() {
    this.resizeObserver.disconnect();
    this.stage.destroy();
    this.dialog.remove();
  }
}
