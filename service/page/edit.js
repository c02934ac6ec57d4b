/** The editor, on Konva, which is loaded with it: crop, turn, mirror, draw, write, undo; then the result is sent. */
import { History, cut, mirrored, onlyMirrored, sizeOf, turned, unedited, upsideDown } from "./edits.js";
import { element } from "./state.js";

const MOST = 6000; // pixels of the longer side that is sent: browsers stop drawing somewhere above 8,000
const FONT = "system-ui, sans-serif";

/** Loads what the editor needs. Throws when the set-up did not bring it. */
function needed() {
  const load = (made) => new Promise((done, failed) => {
    made.onload = done;
    made.onerror = () => failed(new Error("Edit is off: this server was set up without the drawing library (konva). Everything else works."));
    document.head.append(made);
  });
  return Promise.all([
    globalThis.Konva ?? load(element("script", { src: "vendor/konva.min.js" })),
    document.querySelector("link[href='edit.css']") ?? load(element("link", { rel: "stylesheet", href: "edit.css" })),
  ]);
}

/**
 * Opens the editor. @param {import("./state.js").Picture} picture @param {HTMLElement} place
 * @returns {Promise<{blob: Blob, mirrored: boolean}|null>} null when the person gave up
 */
export async function edit(picture, place) {
  await needed();
  const image = new Image();
  image.src = URL.createObjectURL(picture.blob);
  await image.decode();
  const editor = new Editor(image, place);
  try {
    const changed = await editor.run();
    if (!changed) return null;
    const type = picture.blob.type === "image/jpeg" ? "image/jpeg" : "image/png";
    const blob = await new Promise((done) => changed.canvas.toBlob(done, type, 0.92));
    return { blob, mirrored: changed.mirrored };
  } finally {
    editor.close();
    URL.revokeObjectURL(image.src);
  }
}

class Editor {
  constructor(image, place) {
    this.image = image;
    this.history = new History(unedited(image.naturalWidth, image.naturalHeight));
    this.mode = "move";
    this.chosen = -1; // the text under way, as an index of the items
    place.replaceChildren((this.dialog = this.build()));
    this.dialog.showModal();
    this.stage = new Konva.Stage({ container: this.canvas, width: 1, height: 1 });
    this.layers = { picture: new Konva.Layer({ listening: false }), items: new Konva.Layer(), tools: new Konva.Layer() };
    this.stage.add(...Object.values(this.layers));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas.parentElement);
    this.listen();
    this.draw();
    this.canvas.focus();
  }

  build() {
    const button = (text, doing, more = {}) => {
      const made = element("button", { type: "button", textContent: text, ...more });
      made.addEventListener("click", doing);
      return made;
    };
    const step = (change) => () => this.add(change(this.now));
    const mode = (name, text) => button(text, () => this.setMode(this.mode === name ? "move" : name), { id: `edit-${name}` });
    this.canvas = element("div", { className: "edit-canvas", tabIndex: 0, role: "application" });
    this.canvas.ariaLabel = "The picture under the tools. Arrow keys move the text or the cut, with Shift they size it, Delete takes a text away.";
    this.colour = element("input", { type: "color", value: "#e8372c", id: "edit-colour" });
    this.size = element("input", { type: "range", min: 1, max: 30, value: 6, id: "edit-size" });
    this.text = element("input", { id: "edit-words", autocomplete: "off" });
    this.text.addEventListener("keydown", (event) => event.key === "Enter" && this.write());
    this.undo = button("Undo", () => this.go("undo"), { id: "edit-undo" });
    this.redo = button("Redo", () => this.go("redo"), { id: "edit-redo" });
    this.cutting = element("div", { className: "tools edit-more", hidden: true }, "Drag the frame, then ", button("Cut", () => this.cut(), { className: "primary", id: "edit-cut" }));
    this.writing = element("div", { className: "tools edit-more", hidden: true },
      element("label", {}, "Text ", this.text), button("Put it there", () => this.write(), { id: "edit-write" }));
    this.look = element("div", { className: "tools edit-more" },
      element("label", {}, "Colour ", this.colour), element("label", { className: "range" }, "Size ", this.size));
    for (const input of [this.colour, this.size]) input.addEventListener("change", () => this.restyle());
    return element("dialog", { className: "editor", ariaLabel: "Edit the picture" },
      element("div", { className: "tools", role: "toolbar" },
        mode("crop", "Crop"), button("Turn", step(turned)), button("Mirror ↔", step(mirrored)), button("Mirror ↕", step(upsideDown)),
        mode("draw", "Draw"), mode("text", "Text"), this.undo, this.redo,
        element("span", { className: "edit-end" }, button("Cancel", () => this.end(null)), button("Look at this", () => this.end(true), { className: "primary", id: "edit-done" }))),
      this.cutting, this.writing, this.look,
      element("div", { className: "edit-place" }, this.canvas));
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

  /** Lengths that are the same on every picture: a hundredth of its longer side. */
  get unit() {
    return Math.max(this.image.naturalWidth, this.image.naturalHeight) / 200;
  }

  // ---- what is seen

  draw() {
    const { now, mode } = this, shown = sizeOf(now), room = this.canvas.parentElement;
    this.fit = Math.min(room.clientWidth / shown.width, room.clientHeight / shown.height);
    this.stage.size({ width: shown.width * this.fit, height: shown.height * this.fit });
    for (const name of ["picture", "items"]) {
      const group = this.frame();
      this.layers[name].destroyChildren().add(group);
      if (name === "picture") group.add(new Konva.Image({ image: this.image, x: 0, y: 0 }));
      else now.items.forEach((item, i) => group.add(this.shape(item, i)));
    }
    this.layers.tools.destroyChildren();
    if (mode === "crop") this.drawFrame();
    if (this.chosen >= 0) this.layers.tools.add(new Konva.Rect({ ...this.layers.items.findOne(`#item-${this.chosen}`).getClientRect(), stroke: "#fff", dash: [6, 4], shadowColor: "#000", shadowBlur: 3, listening: false }));
    this.undo.disabled = this.history.first;
    this.redo.disabled = this.history.last;
    for (const name of ["crop", "draw", "text"]) this.dialog.querySelector(`#edit-${name}`).ariaPressed = String(mode === name);
    this.cutting.hidden = mode !== "crop";
    this.writing.hidden = mode !== "text";
    this.look.hidden = mode === "crop" || (mode === "move" && this.chosen < 0);
    this.canvas.dataset.mode = mode;
  }

  /** The group whose inside is the unedited picture. */
  frame() {
    const { crop, turns, flipped } = this.now, { fit } = this;
    return new Konva.Group({
      x: this.stage.width() / 2, y: this.stage.height() / 2, rotation: 90 * turns, scaleX: flipped ? -fit : fit, scaleY: fit,
      offsetX: crop.x + crop.width / 2, offsetY: crop.y + crop.height / 2,
    });
  }

  shape(item, i) {
    const id = `item-${i}`;
    if (item.kind === "line")
      return new Konva.Line({ id, points: item.points, stroke: item.colour, strokeWidth: item.size, lineCap: "round", lineJoin: "round", tension: 0.3, listening: false });
    const { x, y, text, colour, size, turns, flipped } = item; // upright in the picture as it stood then
    const made = new Konva.Text({ id, x, y, text, fill: colour, fontSize: size, fontStyle: "600", fontFamily: FONT,
      rotation: flipped ? 90 * turns : -90 * turns, scaleX: flipped ? -1 : 1, draggable: this.mode !== "draw" && this.mode !== "crop" });
    made.offset({ x: made.width() / 2, y: made.height() / 2 });
    made.on("pointerdown", () => (this.chosen = i));
    made.on("click tap", () => this.choose(i));
    made.on("dragend", () => this.replace(i, { x: made.x(), y: made.y() }));
    return made;
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
      this.layers.tools.destroyChildren().add(this.frame().add(this.shape(this.line(points), "new")));
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
    const text = this.text.value.trim(), { crop, turns, flipped, items } = this.now;
    if (!text) return this.text.focus();
    if (this.chosen >= 0) return this.replace(this.chosen, { text });
    this.chosen = items.length;
    const item = { kind: "text", text, x: crop.x + crop.width / 2, y: crop.y + crop.height / 2, colour: this.colour.value, size: this.size.value * this.unit * 2, turns, flipped };
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
    if (this.chosen >= 0) this.replace(this.chosen, { colour: this.colour.value, size: this.size.value * this.unit * 2 });
  }

  replace(i, changes) {
    this.add({ ...this.now, items: this.now.items.map((item, k) => (k === i ? { ...item, ...changes } : item)) });
  }

  // ---- the cut

  drawFrame() {
    const width = this.stage.width(), height = this.stage.height(), { tools } = this.layers;
    this.rect = new Konva.Rect({ x: width * 0.1, y: height * 0.1, width: width * 0.8, height: height * 0.8, fill: "#ffffff01", stroke: "#fff", strokeWidth: 1, draggable: true });
    const shade = new Konva.Shape({ listening: false, sceneFunc: (context) => {
      const { x, y, width: w, height: h } = this.framed();
      context.fillStyle = "#0009";
      context.fillRect(0, 0, width, y);
      context.fillRect(0, y + h, width, height - y - h);
      context.fillRect(0, y, x, h);
      context.fillRect(x + w, y, width - x - w, h);
    } });
    const handles = new Konva.Transformer({ nodes: [this.rect], rotateEnabled: false, flipEnabled: false, keepRatio: false, anchorSize: 18, anchorCornerRadius: 9, ignoreStroke: true,
      boundBoxFunc: (old, box) => (box.width < 12 || box.height < 12 || box.x < -1 || box.y < -1 || box.x + box.width > width + 1 || box.y + box.height > height + 1 ? old : box) });
    this.rect.dragBoundFunc(({ x, y }) => {
      const { width: w, height: h } = this.framed();
      return { x: Math.min(Math.max(x, 0), width - w), y: Math.min(Math.max(y, 0), height - h) };
    });
    tools.add(shade, this.rect, handles);
  }

  framed() {
    const { rect } = this;
    return { x: rect.x(), y: rect.y(), width: rect.width() * rect.scaleX(), height: rect.height() * rect.scaleY() };
  }

  cut() {
    const { x, y, width, height } = this.framed(), wide = this.stage.width(), high = this.stage.height();
    const inside = (value) => Math.min(Math.max(value, 0), 1);
    const left = inside(x / wide), top = inside(y / high);
    const box = { x: left, y: top, width: inside((x + width) / wide) - left, height: inside((y + height) / high) - top };
    this.mode = "move";
    this.add(cut(this.now, box));
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
    if (this.mode === "crop") {
      const { x, y, width, height } = this.framed(), by = this.stage.width() / 50, wide = this.stage.width(), high = this.stage.height();
      const within = (value, least, most) => Math.min(Math.max(value, least), most);
      if (event.shiftKey) this.rect.setAttrs({ scaleX: 1, scaleY: 1, width: within(width + step[0] * by, 12, wide - x), height: within(height + step[1] * by, 12, high - y) });
      else this.rect.setAttrs({ x: within(x + step[0] * by, 0, wide - width), y: within(y + step[1] * by, 0, high - height) });
      return;
    }
    const item = this.now.items[this.chosen], { turns, flipped } = this.now;
    if (event.shiftKey) return this.replace(this.chosen, { size: Math.max(item.size + (step[0] - step[1]) * this.unit, this.unit) });
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
    const shown = sizeOf(this.now), scale = Math.min(1, MOST / Math.max(shown.width, shown.height));
    this.layers.tools.hide();
    const drawn = this.stage.toCanvas({ pixelRatio: scale / this.fit });
    const canvas = element("canvas", { width: Math.max(1, Math.round(shown.width * scale)), height: Math.max(1, Math.round(shown.height * scale)) });
    canvas.getContext("2d").drawImage(drawn, 0, 0, canvas.width, canvas.height);
    return { canvas, mirrored: onlyMirrored(this.now, { width: this.image.naturalWidth, height: this.image.naturalHeight }) };
  }

  close() {
    this.resized.disconnect();
    this.stage.destroy();
    this.dialog.remove();
  }
}
