/** The editor at work: what the tools do to the edit, and the edit drawn. */
import { Frame, groupOf, nodeOf } from "./drawing.js";
import { History, cut, onlyMirrored, sizeOf, unedited } from "./edits.js";
import { dialogFor } from "./editor_dialog.js";
import { element } from "./state.js";

const MOST = 6000; // pixels of the longer side that is sent: browsers stop drawing somewhere above 8,000

export class Editor {
  constructor(image, place) {
    this.image = image;
    this.history = new History(unedited(image.naturalWidth, image.naturalHeight));
    this.mode = "move";
    this.chosen = -1; // the text under way, as an index of the items
    Object.assign(this, dialogFor(this));
    place.replaceChildren(this.dialog);
    this.dialog.showModal();
    this.stage = new Konva.Stage({ container: this.canvas, width: 1, height: 1 });
    this.layers = {
      picture: new Konva.Layer({ listening: false }),
      items: new Konva.Layer(),
      tools: new Konva.Layer(),
    };
    this.stage.add(...Object.values(this.layers));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas.parentElement);
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

  go(way) {
    this.history[way]();
    this.chosen = -1;
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    this.chosen = -1;
    this.draw();
    if (mode === "text") this.text.focus();
  }

  /** The measure of lines and letters, the same on every picture: half a hundredth of its longer side. */
  get unit() {
    return Math.max(this.image.naturalWidth, this.image.naturalHeight) / 200;
  }

  // ---- what is seen

  draw() {
    const { now, mode } = this,
      shown = sizeOf(now),
      room = this.canvas.parentElement;
    this.fit = Math.min(room.clientWidth / shown.width, room.clientHeight / shown.height);
    this.stage.size({ width: shown.width * this.fit, height: shown.height * this.fit });
    for (const name of ["picture", "items"]) {
      const group = groupOf(now, this.stage, this.fit);
      this.layers[name].destroyChildren().add(group);
      if (name === "picture") group.add(new Konva.Image({ image: this.image, x: 0, y: 0 }));
      else now.items.forEach((item, i) => group.add(this.live(nodeOf(item, i), i)));
    }
    this.layers.tools.destroyChildren();
    if (mode === "crop") this.frame = new Frame(this.layers.tools);
    if (this.chosen >= 0)
      this.layers.tools.add(
        new Konva.Rect({
          ...this.layers.items.findOne(`#item-${this.chosen}`).getClientRect(),
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
    this.cutting.hidden = mode !== "crop";
    this.writing.hidden = mode !== "text";
    this.look.hidden = mode === "crop" || (mode === "move" && this.chosen < 0);
    this.canvas.dataset.mode = mode;
  }

  /** Texts can be taken hold of, unless another tool is at work. */
  live(node, i) {
    if (node.className !== "Text" || this.mode === "draw" || this.mode === "crop") return node.listening(false);
    node.draggable(true);
    node.on("pointerdown", () => (this.chosen = i));
    node.on("click tap", () => this.choose(i));
    node.on("dragend", () => this.replace(i, { x: node.x(), y: node.y() }));
    return node;
  }

  // ---- text and lines

  listen() {
    let points = null;
    const place = () => {
      const { x, y } = this.layers.picture.findOne("Group").getRelativePointerPosition();
      return [x, y];
    };
    this.stage.on("pointerdown", () => {
      if (this.mode === "draw") points = place();
    });
    this.stage.on("pointermove", () => {
      if (!points) return;
      points.push(...place());
      this.layers.tools
        .destroyChildren()
        .add(groupOf(this.now, this.stage, this.fit).add(nodeOf(this.line(points), "new")));
    });
    const end = () => {
      if (points?.length > 2) this.add({ ...this.now, items: [...this.now.items, this.line(points)] });
      points = null;
    };
    this.stage.on("pointerup", end);
    this.dialog.addEventListener("pointerup", end); // outside of the picture, too
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

  write() {
    const text = this.text.value.trim(),
      { crop, turns, flipped, items } = this.now;
    if (!text) return this.text.focus();
    if (this.chosen >= 0) return this.replace(this.chosen, { text });
    this.chosen = items.length;
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

  choose(i) {
    const item = this.now.items[i];
    this.mode = "text";
    this.chosen = i;
    this.text.value = item.text;
    this.colour.value = item.colour;
    this.size.value = item.size / this.unit / 2;
    this.draw();
  }

  restyle() {
    if (this.chosen >= 0)
      this.replace(this.chosen, { colour: this.colour.value, size: this.size.value * this.unit * 2 });
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
    if (event.key === "Delete" && this.chosen >= 0) {
      const items = this.now.items.filter((_, i) => i !== this.chosen);
      this.chosen = -1;
      this.add({ ...this.now, items });
    }
    if (!step || (this.mode !== "crop" && this.chosen < 0)) return;
    event.preventDefault();
    if (this.mode === "crop") return this.frame.step(step, event.shiftKey);
    const item = this.now.items[this.chosen],
      { turns, flipped } = this.now;
    if (event.shiftKey)
      return this.replace(this.chosen, { size: Math.max(item.size + (step[0] - step[1]) * this.unit, this.unit) });
    let [x, y] = step; // of the shown picture; turned back into the unedited one
    for (let i = 0; i < turns; i++) [x, y] = [y, -x];
    this.replace(this.chosen, { x: item.x + (flipped ? -x : x) * 2 * this.unit, y: item.y + y * 2 * this.unit });
  }

  // ---- the end

  run() {
    return new Promise((done) => {
      this.end = (accepted) => done(accepted && this.result());
      this.dialog.addEventListener("close", () => done(null));
    });
  }

  result() {
    const shown = sizeOf(this.now),
      scale = Math.min(1, MOST / Math.max(shown.width, shown.height));
    this.layers.tools.hide();
    const drawn = this.stage.toCanvas({ pixelRatio: scale / this.fit });
    const canvas = element("canvas", {
      width: Math.max(1, Math.round(shown.width * scale)),
      height: Math.max(1, Math.round(shown.height * scale)),
    });
    canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
    return {
      canvas,
      mirrored: onlyMirrored(this.now, { width: this.image.naturalWidth, height: this.image.naturalHeight }),
    };
  }

  close() {
    this.resized.disconnect();
    this.stage.destroy();
    this.dialog.remove();
  }
}
