// Points on a canvas. A drag draws an outline around points, a click chooses one; both are kept until another
// map comes. By keys, a rectangle is moved, and its corners are the outline. The view can be enlarged and moved.
// Reported are the number of the point and the outline, in the coordinates of the points.

const CLOSE = 10; // pixels from a point within which it is meant
const STEP = 4; // pixels between two corners of an outline
const MARGIN = 14;
const ENLARGED = 1.5; // by one press of + …
const MOST = 40; // … and altogether at most
const MOVED = 12; // pixels by which an arrow key moves a side of the rectangle
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const maps = new WeakMap(); // root → its PointMap

export default function ({ data, parentElement, setStateValue }) {
  let map = maps.get(parentElement);
  if (!map) maps.set(parentElement, (map = new PointMap(parentElement)));
  const run = ++map.run;
  map.setStateValue = setStateValue;
  map.show(data);
  return () => {
    if (map.run !== run) return; // a later run has taken over
    map.close();
    maps.delete(parentElement);
  };
}

class PointMap {
  constructor(root) {
    this.run = 0;
    this.ending = new AbortController();
    const find = (selector) => root.querySelector(selector);
    this.canvas = find("canvas");
    this.tip = find(".tip");
    this.keys = find(".keys");
    this.count = find(".count");
    this.buttons = Object.fromEntries(
      ["in", "out", "pan", "whole", "clear"].map((name) => [name, find(`.${name}`)]));
    const on = (target, kind, act) => target.addEventListener(kind, act, { signal: this.ending.signal });
    on(this.canvas, "pointerdown", (event) => this.start(event));
    on(this.canvas, "pointermove", (event) => this.move(event));
    on(this.canvas, "pointerup", (event) => this.end(event));
    on(this.canvas, "pointercancel", () => (this.drop(), this.draw())); // the browser scrolls instead
    on(this.canvas, "pointerleave", () => this.point(null));
    on(this.canvas, "keydown", (event) => this.press(event));
    on(this.canvas, "wheel", (event) => this.wheel(event));
    on(this.buttons.in, "click", () => this.enlarge(ENLARGED));
    on(this.buttons.out, "click", () => this.enlarge(1 / ENLARGED));
    on(this.buttons.pan, "click", () => this.pan(!this.panning));
    on(this.buttons.whole, "click", () => this.showWhole());
    on(this.buttons.clear, "click", () => this.choose(null, null));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas.parentElement);
  }

  close() {
    this.observer.disconnect();
    this.ending.abort();
  }

  show(data) {
    const ink = getComputedStyle(this.canvas).color;
    const known = this.bytes && same(this.bytes, data);
    if (known && ink === this.ink) return; // the page ran again, but nothing changed here
    this.ink = ink;
    if (!known) this.take(data);
    this.draw();
  }

  take(data) {
    const before = this.header?.title;
    this.bytes = new Uint8Array(data); // a copy: `data` is a view into the whole message, at any offset
    const length = new DataView(this.bytes.buffer).getUint32(0, true);
    const header = (this.header = JSON.parse(new TextDecoder().decode(this.bytes.subarray(4, 4 + length))));
    let at = 4 + length;
    const next = (Kind, count) => {
      const array = new Kind(this.bytes.buffer, at, count);
      at += array.byteLength;
      return array;
    };
    this.points = next(Float32Array, 2 * header.count);
    this.order = next(Uint32Array, header.count);
    this.lines = header.lines.map(() => next(Int16Array, header.count));
    this.colors = next(Uint8Array, 3 * header.count);
    this.bounds = boundsOf(this.points);
    this.dots = null;
    this.canvas.setAttribute("aria-label", header.label);
    this.keys.textContent = header.keys;
    for (const [name, button] of Object.entries(this.buttons)) {
      if (["in", "out"].includes(name)) button.setAttribute("aria-label", header.buttons[name]);
      else button.textContent = header.buttons[name];
    }
    if (before === header.title) return;
    this.zoom = 1;
    this.hold(null);
    this.keep(null, null);
    this.lookAt();
  }

  // ── Drawing ───────────────────────────────────────────────────────────────────────────────────

  place() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const { left, right, bottom, top } = this.bounds;
    const fitting = Math.min(
      (width - 2 * MARGIN) / (right - left || 1), (height - 2 * MARGIN) / (top - bottom || 1));
    const scale = fitting * this.zoom;
    const [x, y] = this.center;
    this.view = { scale, x: width / 2 - scale * x, y: height / 2 + scale * y };
    this.size = { width, height };
  }

  at(index) {
    const { scale, x, y } = this.view;
    return [x + scale * this.points[2 * index], y - scale * this.points[2 * index + 1]];
  }

  back([left, top]) {
    const { scale, x, y } = this.view;
    return [(left - x) / scale, (y - top) / scale];
  }

  draw() {
    if (!this.header) return;
    const wide = this.canvas.parentElement.clientWidth;
    this.canvas.style.height = `${Math.min(this.header.height, wide)}px`;
    this.place();
    const { width, height } = this.size;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const same = this.dots?.width === this.canvas.width && this.dots.height === this.canvas.height;
    if (!same) this.drawDots(ratio);
    const context = this.canvas.getContext("2d");
    context.drawImage(this.dots, 0, 0);
    context.scale(ratio, ratio);
    this.drawOutline(context, this.path ?? this.outline?.map((corner) => this.there(corner)));
    this.drawRectangle(context);
    this.ring(context, this.header.marked, 8, 1.5);
    this.ring(context, this.chosen, 6, 2.5);
  }

  // All points on a canvas of their own, which stays while an outline is drawn over it.
  drawDots(ratio) {
    this.dots = document.createElement("canvas");
    this.dots.width = this.canvas.width;
    this.dots.height = this.canvas.height;
    const context = this.dots.getContext("2d");
    context.scale(ratio, ratio);
    const small = this.header.count > 4000 ? 1.6 : this.header.count > 1000 ? 2.2 : 3;
    const radius = small * Math.min(2, Math.sqrt(this.zoom));
    let last = "";
    for (const index of this.order) {
      const color = `rgb(${this.colors[3 * index]} ${this.colors[3 * index + 1]} ${this.colors[3 * index + 2]})`;
      if (color !== last) context.fillStyle = last = color;
      context.globalAlpha = this.within && !this.within[index] ? 0.12 : 0.85;
      const [x, y] = this.at(index);
      if (x < -radius || y < -radius || x > this.size.width + radius || y > this.size.height + radius) continue;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fill();
      if (this.within?.[index]) this.edge(context);
    }
  }

  // Around a point that is selected: its own color may hardly differ from the page.
  edge(context) {
    context.strokeStyle = this.ink;
    context.globalAlpha = 0.45; // many together still show their colors
    context.lineWidth = 0.6;
    context.stroke();
  }

  there([x, y]) {
    return [this.view.x + this.view.scale * x, this.view.y - this.view.scale * y];
  }

  drawOutline(context, corners) {
    if (!corners || corners.length < 2) return;
    context.strokeStyle = this.ink;
    context.lineWidth = 1.2;
    context.setLineDash([4, 3]);
    context.beginPath();
    corners.forEach(([x, y]) => context.lineTo(x, y));
    context.closePath();
    context.stroke();
    context.setLineDash([]);
  }

  drawRectangle(context) {
    if (!this.rectangle) return;
    const [left, top, right, bottom] = this.rectangle;
    context.strokeStyle = this.ink;
    context.lineWidth = 2;
    context.strokeRect(left, top, right - left, bottom - top);
  }

  ring(context, index, radius, width) {
    if (index === null || index === undefined) return;
    const [x, y] = this.at(index);
    context.strokeStyle = this.ink;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.stroke();
  }

  // ── Pointer ───────────────────────────────────────────────────────────────────────────────────

  local(event) {
    const area = this.canvas.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  }

  start(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.from = this.local(event);
    this.path = null;
    this.panned = false;
    this.hold(null);
  }

  move(event) {
    const here = this.local(event);
    if (!this.from) return this.point(here);
    if (this.panning) return this.drag(here);
    const last = this.path ? this.path[this.path.length - 1] : this.from;
    if (Math.hypot(here[0] - last[0], here[1] - last[1]) < STEP) return;
    this.point(null);
    this.path = this.path ? [...this.path, here] : [this.from, here];
    this.draw();
  }

  end(event) {
    const path = this.path;
    const from = this.from;
    this.drop();
    if (!from || this.panned) return void (this.panned = false);
    if (path && path.length > 2) this.choose(null, path.map((corner) => this.back(corner)));
    else this.choose(this.nearest(this.local(event)), this.outline);
  }

  drop() {
    this.from = this.path = null;
  }

  nearest([left, top]) {
    let best = null;
    let least = CLOSE * CLOSE;
    for (const index of this.order) { // of equally near ones the one on top
      const [x, y] = this.at(index);
      const distance = (x - left) ** 2 + (y - top) ** 2;
      if (distance <= least) [best, least] = [index, distance];
    }
    return best;
  }

  point(here) {
    const index = here && this.header ? this.nearest(here) : null;
    this.tip.hidden = index === null;
    if (index === null) return;
    const { lines, names } = this.header;
    const each = lines.map((title, number) => [title, names[this.lines[number][index]]]);
    this.tip.textContent = each.filter(([, name]) => name !== undefined).map((pair) => pair.join(": ")).join("\n");
    const [x, y] = this.at(index);
    const over = x > this.size.width / 2;
    Object.assign(this.tip.style, {
      top: `${Math.max(0, y - 8)}px`, left: over ? "auto" : `${x + 12}px`, right: over ? `${this.size.width - x + 12}px` : "auto",
    });
  }

  // ── Keys: a rectangle in pixels, [left, top, right, bottom] ───────────────────────────────────────

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.moveRectangle(arrow, event.shiftKey);
    else if (event.key === "Enter" && this.rectangle) this.chooseRectangle();
    else if (event.key === "Escape" && this.rectangle) this.hold(null);
    else if (event.key === "Escape") this.choose(null, null);
    else if (event.key === "+" || event.key === "=") this.enlarge(ENLARGED);
    else if (event.key === "-") this.enlarge(1 / ENLARGED);
    else if (event.key === "0") this.showWhole();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  moveRectangle([across, down], resized) {
    const { width, height } = this.size;
    const [left, top, right, bottom] =
      this.rectangle ?? [0.35 * width, 0.35 * height, 0.65 * width, 0.65 * height];
    const [x, y] = this.rectangle ? [across * MOVED, down * MOVED] : [0, 0]; // the first key shows it
    if (resized) {
      return this.hold([left, top, Math.max(left + MOVED, right + x), Math.max(top + MOVED, bottom + y)]);
    }
    const outside = left + x < 0 || top + y < 0 || right + x > width || bottom + y > height;
    if (!outside) return this.hold([left + x, top + y, right + x, bottom + y]);
    this.lookAt(this.center[0] + x / this.view.scale, this.center[1] - y / this.view.scale);
    this.hold(this.rectangle);
  }

  corners() {
    const [left, top, right, bottom] = this.rectangle;
    return [[left, top], [right, top], [right, bottom], [left, bottom]].map((corner) => this.back(corner));
  }

  hold(rectangle) {
    this.rectangle = rectangle;
    const count = rectangle && insideOf(this.points, this.corners()).reduce((sum, one) => sum + one, 0);
    this.count.textContent = rectangle ? this.header.inside.replace("{count}", count) : "";
  }

  chooseRectangle() {
    const corners = this.corners();
    this.hold(null);
    this.choose(null, corners);
  }

  // ── View ──────────────────────────────────────────────────────────────────────────────────────

  middle() {
    const { left, right, bottom, top } = this.bounds;
    return [(left + right) / 2, (bottom + top) / 2];
  }

  lookAt(x, y) {
    const { left, right, bottom, top } = this.bounds;
    const whole = this.zoom === 1;
    this.center = whole ? this.middle() : [Math.min(right, Math.max(left, x)), Math.min(top, Math.max(bottom, y))];
    this.dots = null;
    this.place();
    for (const button of [this.buttons.pan, this.buttons.whole]) button.hidden = whole;
    this.buttons.out.disabled = whole;
    this.buttons.in.disabled = this.zoom >= MOST;
    if (whole) this.pan(false);
    this.point(null);
  }

  // What is at `here` stays there: the middle of the rectangle, or of the view, unless the pointer says.
  enlarge(factor, here) {
    const [l, t, r, b] = this.rectangle ?? [0, 0, this.size.width, this.size.height];
    const fixed = here ?? [(l + r) / 2, (t + b) / 2];
    const [x, y] = this.back(fixed);
    this.zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
    this.place();
    const { scale } = this.view;
    const { width, height } = this.size;
    this.lookAt(x - (fixed[0] - width / 2) / scale, y + (fixed[1] - height / 2) / scale);
    this.hold(this.rectangle);
    this.draw();
  }

  showWhole() {
    this.zoom = 1;
    this.lookAt();
    this.hold(this.rectangle);
    this.draw();
  }

  wheel(event) {
    if (!event.ctrlKey) return; // the page scrolls; pinching a touchpad counts as Ctrl
    event.preventDefault();
    this.enlarge(2 ** (-event.deltaY / 100), this.local(event));
  }

  pan(on) {
    this.panning = on;
    this.buttons.pan.setAttribute("aria-pressed", String(on));
    this.canvas.classList.toggle("panning", on);
  }

  drag(here) {
    const [x, y] = [here[0] - this.from[0], here[1] - this.from[1]];
    this.panned ||= Math.hypot(x, y) >= STEP;
    if (!this.panned) return;
    this.from = here;
    this.lookAt(this.center[0] - x / this.view.scale, this.center[1] + y / this.view.scale);
    this.draw();
  }

  // ── Choice ────────────────────────────────────────────────────────────────────────────────────

  keep(point, outline) {
    this.chosen = point;
    this.outline = outline;
    this.within = outline && insideOf(this.points, outline);
    this.dots = null;
    this.buttons.clear.hidden = !outline && point === null;
  }

  choose(point, outline) {
    if (point === this.chosen && outline === this.outline) return;
    this.keep(point, outline);
    this.draw();
    this.setStateValue("choice", { title: this.header.title, point, outline });
  }
}

function boundsOf(points) {
  const bounds = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
  for (let at = 0; at < points.length; at += 2) {
    bounds.left = Math.min(bounds.left, points[at]);
    bounds.right = Math.max(bounds.right, points[at]);
    bounds.bottom = Math.min(bounds.bottom, points[at + 1]);
    bounds.top = Math.max(bounds.top, points[at + 1]);
  }
  return bounds;
}

// By the even-odd rule, as Python does.
function insideOf(points, outline) {
  const within = new Uint8Array(points.length / 2);
  for (let index = 0; index < within.length; index++) {
    const x = points[2 * index];
    const y = points[2 * index + 1];
    for (let one = 0; one < outline.length; one++) {
      const [x0, y0] = outline[one];
      const [x1, y1] = outline[(one + 1) % outline.length];
      if (y0 > y !== y1 > y && x < x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)) within[index] ^= 1;
    }
  }
  return within;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
