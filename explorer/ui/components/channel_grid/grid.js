// Draws the maps of one layer and reports what the visitor chooses. The layout of the bytes is
// described in payload.py. Everything on the canvas is drawn when data, scale, order, size or theme
// change; hovering and choosing only move elements that lie over it.

const PLAIN = 16; // px of the page's type for which the sizes below hold; they grow with it
const LABEL = 15; // room for a channel's number above its tile, in CSS pixels
const GAP = 6;
const TALL = 620; // a grid grows smaller tiles rather than taller than this, down to the smallest tile
const IN_SIGHT = 128; // channels that are in sight at first; of a layer with more, the others scroll
const SMALLEST = 44;
const LARGEST = 256;
const LARGEST_ALONE = 512;
const SMALLEST_SHRUNK = 96; // maps with more positions than pixels are shrunk no further
const MOST_PIXELS = 16e6; // what every browser's canvas can hold
const KEY_PAUSE = 160; // ms without a key before it is reported to Python
const DIGIT_PAUSE = 700;

const choices = new Map(); // turn → what the visitor chose in it
const marks = new Map(); // marks_turn → the Set of channels marked in it
const views = new Map(); // view_turn → the order and scale chosen in it
const grids = new WeakMap(); // root → its Grid

export default function ({ data, parentElement, setStateValue }) {
  let grid = grids.get(parentElement);
  if (!grid) grids.set(parentElement, (grid = new Grid(parentElement)));
  const run = ++grid.run;
  grid.setStateValue = setStateValue;
  grid.show(data);
  return () => {
    if (grid.run !== run) return; // a later run has taken over
    grid.close();
    grids.delete(parentElement);
  };
}

class Grid {
  constructor(root) {
    this.run = 0;
    this.ending = new AbortController();
    const find = (selector) => root.querySelector(selector);
    this.parts = {
      grid: find(".grid"), order: find('[data-choice="order"]'), scale: find('[data-choice="scale"]'),
      orderName: find('[data-choice="order"] legend'), scaleName: find('[data-choice="scale"] legend'),
      jump: find(".jump"), jumpName: find(".jump span"), number: find(".jump input"), colors: find(".colors"), ramp: find(".ramp"),
      low: find(".low"), zero: find(".zero"), high: find(".high"), stage: find(".stage"),
      canvas: find("canvas"), marks: find(".marks"), hovered: find(".hovered"), chosen: find(".chosen"), chosenNumber: find(".chosen span"),
      hoveredCell: find(".hovered-cell"), chosenCell: find(".chosen-cell"), status: find(".status"),
      summary: find(".summary"), tip: find(".tip"), swatch: find(".swatch"), value: find(".tip strong"),
      where: find(".where"),
    };
    this.listen();
  }

  listen() {
    const { stage, number, order, scale } = this.parts;
    const { signal } = this.ending;
    const on = (target, kind, act, capture = false) => target.addEventListener(kind, act, { signal, capture });
    on(stage, "pointermove", (event) => this.hover(event));
    on(stage, "pointerleave", (event) => this.leave(event));
    on(stage, "click", (event) => this.click(event));
    on(stage, "pointerdown", (event) => this.startBrush(event));
    on(window, "pointermove", (event) => this.brush(event));
    on(window, "pointerup", () => this.endBrush());
    on(window, "pointercancel", () => this.endBrush());
    on(stage, "keydown", (event) => this.press(event));
    on(number, "input", () => this.jump());
    on(number, "keydown", (event) => event.stopPropagation());
    on(order, "change", (event) => this.change("order", Number(event.target.value)));
    on(scale, "change", (event) => this.change("scale", event.target.value));
    on(window, "scroll", () => this.point(null), true);
    on(window, "resize", () => this.resize());
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(stage);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.marksTimer);
    this.observer.disconnect();
    this.ending.abort();
  }

  // ── Data ──────────────────────────────────────────────────────────────────────────────────────

  show(data) {
    const ink = getComputedStyle(this.parts.grid).color;
    const known = this.bytes && same(this.bytes, data);
    if (known && this.ink === ink) return; // the page ran again, but nothing changed here
    this.ink = ink;
    this.layout = null;
    if (!known) this.take(data);
    this.resize();
  }

  take(data) {
    this.bytes = new Uint8Array(data); // a copy: `data` is a view into the whole message, at any offset
    this.maps = decode(this.bytes);
    this.atlas = null;
    this.adopt(this.maps.header);
    this.label();
  }

  adopt({ turn, channel, cell, view_turn, order, scale, marks_turn, marked }) {
    if (!marks.has(marks_turn)) marks.set(marks_turn, new Set(marked));
    this.marksTurn = marks_turn;
    this.brushing = null;
    if (!choices.has(turn)) choices.set(turn, { channel, cell });
    this.turn = turn;
    // An order is kept by its place, since its name may change with what is shown.
    if (!views.has(view_turn)) views.set(view_turn, { scale, order: this.maps.orders.indexOf(order) });
    this.viewTurn = view_turn;
    this.view = { ...views.get(view_turn) };
    if (this.view.order >= this.maps.orders.length) this.view.order = 0;
  }

  // Channel and cell as far as they exist in these maps; an impossible choice is kept for maps that have it.
  get choice() {
    const { channels, height, width, header } = this.maps;
    const { channel, cell } = choices.get(this.turn);
    if (channel === null || channel >= channels) return { channel: null, cell: null };
    const exists = cell !== null && cell[0] < height && cell[1] < width && header.cells;
    return { channel, cell: exists ? cell : null };
  }

  get order() {
    const { header, orders, identity } = this.maps;
    return this.view.order ? header.orders[orders[this.view.order]] : identity;
  }

  get words() {
    return this.maps.header.words;
  }

  get orderNames() {
    return [this.words.index, ...this.maps.orders.slice(1)];
  }

  get alone() {
    return this.maps.channels === 1;
  }

  get choosable() {
    return this.marking || !this.alone || this.maps.header.cells;
  }

  get marking() {
    return this.maps.header.marking;
  }

  get marked() {
    return marks.get(this.marksTurn);
  }

  highOf(channel) {
    const { header, highs } = this.maps;
    return this.view.scale === "channel" ? highs[channel] : header.high;
  }

  // ── Words ─────────────────────────────────────────────────────────────────────────────────────

  label() {
    const { header, channels, height, width } = this.maps;
    const { grid, order, orderName, scale, scaleName, jump, jumpName, stage } = this.parts;
    grid.classList.toggle("alone", this.alone);
    grid.classList.toggle("marking", this.marking);
    const { words } = this;
    orderName.textContent = words.order;
    scaleName.textContent = words.scale;
    jumpName.textContent = words.channel;
    segments(order, this.orderNames.map((name, position) => [position, name]));
    segments(scale, [["shared", words.shared], ["channel", words.per_channel]]);
    order.hidden = this.alone || this.maps.orders.length < 2;
    scale.hidden = jump.hidden = this.alone;
    attributes(stage, { "aria-label": header.label, role: "img", tabindex: null, "aria-valuemin": null, "aria-valuemax": null });
    if (!this.choosable) return;
    const last = (this.alone ? height * width : channels) - 1;
    attributes(stage, { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": last });
  }

  describe() {
    const { parts, choice, maps } = this;
    const selected = this.alone && !this.marking ? this.positionText() : this.channelText();
    parts.summary.textContent = this.summary();
    parts.status.replaceChildren(...withBold(selected ?? this.hint()));
    const now = this.alone ? (choice.cell ?? [0, 0])[0] * maps.width + (choice.cell ?? [0, 0])[1] : choice.channel ?? 0;
    const text = selected ? parts.status.textContent : this.alone ? this.words.no_position : this.words.no_channel;
    const values = this.choosable ? { "aria-valuenow": now, "aria-valuetext": text } : { "aria-valuenow": null, "aria-valuetext": null };
    attributes(parts.stage, values);
  }

  hint() {
    const { words } = this;
    const reading = this.layout.scale < 1 ? words.hover_small : words.hover;
    const selecting = this.marking ? words.click_mark : this.alone ? words.click_position : words.click_channel;
    return [words.size, reading, ...(this.choosable ? [selecting] : [])].join(" ");
  }

  summary() {
    const { words } = this;
    const order = fill(words.ordered_by, { order: this.orderNames[this.view.order] });
    const keys = this.marking ? words.keys_mark : this.alone ? words.keys_position : words.keys_channel;
    const more = this.choosable ? [...(this.alone ? [] : [order]), keys] : [];
    return [words.size, this.scaleText(), ...more].join(" ");
  }

  scaleText() {
    const { words } = this;
    if (this.view.scale === "channel" && !this.alone) return words.range_each;
    return fill(this.alone ? words.range_alone : words.range_shared, { range: this.ends(this.maps.header.high) });
  }

  channelText() {
    const { channel, cell } = this.choice;
    if (channel === null) return null;
    const { mean, least, most, zeros } = statistics(this.maps, channel);
    const template = zeros ? this.words.about_channel_with_zeros : this.words.about_channel;
    const fields = { channel, mean: number(mean), low: number(least), high: number(most), zeros: percent(zeros) };
    const mark = this.marked.has(channel) ? ` · ${this.words.marked}` : "";
    const text = fill(template, fields) + mark;
    return cell ? `${text} · ${this.positionText()}` : text;
  }

  positionText() {
    const { channel, cell } = this.choice;
    if (!cell) return null;
    const value = number(this.maps.at(channel, ...cell));
    return fill(this.words.about_position, { row: cell[0], column: cell[1], value });
  }

  ends(high) {
    if (high === 0) return this.words.all_zero;
    return fill(this.words.ends, { low: this.maps.header.signed ? number(-high) : "0", high: number(high) });
  }

  legend(channel) {
    const { parts, words } = this;
    const { header, table } = this.maps;
    const { colors, ramp, low, zero, high } = parts;
    const each = this.view.scale === "channel" && !this.alone;
    const top = !each ? header.high : channel === null ? null : this.highOf(channel);
    ramp.style.background = top === 0 ? css(table[header.signed ? 128 : 0]) : gradient(table);
    low.textContent = top === null ? (header.signed ? words.low : "0") : header.signed || top === 0 ? number(-top) : "0";
    const whose = !each ? "" : channel === null ? words.each_channel : fill(words.this_channel, { channel });
    zero.textContent = top === 0 ? "" : header.signed ? "0" : whose;
    high.textContent = top === null ? words.high : top === 0 ? "" : number(top);
    const label = top === null ? words.colors_each : fill(words.colors, { range: this.ends(top) });
    colors.setAttribute("aria-label", label);
  }

  // ── Drawing ───────────────────────────────────────────────────────────────────────────────────

  resize() {
    const room = this.parts.stage.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    if (!this.maps || !room) return;
    if (this.layout?.asked === `${room} ${ratio}`) return;
    this.layout = arrange(this.maps, room, ratio);
    if (this.layout.wide * this.layout.tall > MOST_PIXELS) this.layout = arrange(this.maps, room, 1);
    this.layout.asked = `${room} ${ratio}`;
    this.draw();
  }

  // Drawn at once and here; it is reported to Python afterwards, for the link, and nothing comes back.
  change(what, value) {
    this.view[what] = value;
    if (what === "scale") this.atlas = null;
    this.draw();
    const { scale, order } = this.view;
    views.set(this.viewTurn, { scale, order });
    this.setStateValue("view", { scale, order, turn: this.viewTurn });
  }

  draw() {
    this.atlas ??= paint(this.maps, (channel) => this.highOf(channel));
    const { layout, atlas, maps, order } = this;
    this.places = new Int32Array(maps.channels); // channel → place
    order.forEach((channel, place) => (this.places[channel] = place));
    blit(this.parts.canvas, layout, maps, atlas, order, getComputedStyle(this.parts.grid));
    this.parts.grid.style.setProperty("--drawn", this.parts.canvas.style.width);
    this.point(null);
    this.mark();
  }

  mark() {
    const { chosen, chosenNumber, chosenCell, number: input, order, scale } = this.parts;
    const { channel, cell } = this.choice;
    check(order, String(this.view.order));
    check(scale, this.view.scale);
    chosen.hidden = channel === null || this.alone;
    this.markTiles();
    if (!chosen.hidden) move(chosen, this.layout.tile(this.places[channel]));
    chosenNumber.textContent = channel ?? "";
    chosenCell.hidden = cell === null;
    if (cell) move(chosenCell, this.layout.cell(this.places[channel], ...cell));
    if (!input.matches(":focus") || this.turn !== this.numberTurn) input.value = channel ?? "";
    this.numberTurn = this.turn; // of the choice whose number the field has, or that is being typed
    input.setAttribute("aria-invalid", "false");
    this.legend(channel);
    this.describe();
  }

  // ── Looking ───────────────────────────────────────────────────────────────────────────────────

  hover(event) {
    const at = { x: event.clientX, y: event.clientY };
    if (this.pending) return void (this.pending = at);
    this.pending = at;
    requestAnimationFrame(() => {
      const last = this.pending;
      this.pending = null;
      if (last) this.point(last);
    });
  }

  leave(event) {
    this.pending = null;
    clearTimeout(this.lingering);
    // A finger has no way to hover: let what it touched be read.
    if (event.pointerType === "touch") this.lingering = setTimeout(() => this.point(null), 2500);
    else this.point(null);
  }

  // Where a point of the window lies: {channel, row, column, inside}, or null. A tile's number is not inside.
  find({ x, y }) {
    const box = this.parts.canvas.getBoundingClientRect();
    const found = this.layout.find(x - box.left, y - box.top);
    return found && found.place < this.maps.channels ? { ...found, channel: this.order[found.place] } : null;
  }

  point(at) {
    const { hovered, hoveredCell, tip, stage } = this.parts;
    const near = at && this.find(at);
    const found = near?.inside ? near : null;
    stage.classList.toggle("over", Boolean(near) && this.choosable);
    hovered.hidden = !found || this.alone;
    hoveredCell.hidden = !found;
    if (!found) return this.hideTip();
    move(hovered, this.layout.tile(found.place));
    move(hoveredCell, this.layout.cell(found.place, found.row, found.column));
    this.showTip(found);
    if (this.view.scale === "channel" && !this.alone) this.legend(found.channel);
    if (!tip.matches(":popover-open")) tip.showPopover();
    beside(tip, at);
  }

  hideTip() {
    const { tip } = this.parts;
    if (!tip.matches(":popover-open")) return;
    tip.hidePopover();
    this.legend(this.choice.channel);
  }

  showTip({ channel, row, column }) {
    const { value, where, swatch } = this.parts;
    const shown = this.maps.at(channel, row, column);
    value.textContent = number(shown);
    const template = this.alone ? this.words.tip_position : this.words.tip_channel;
    where.textContent = fill(template, { channel, row, column });
    swatch.style.background = css(colorOf(this.maps, shown, this.highOf(channel)));
  }

  // ── Marking ───────────────────────────────────────────────────────────────────────────────────

  markTiles() {
    const tiles = [...this.marked].filter((channel) => channel < this.maps.channels);
    const elements = tiles.map((channel) => {
      const element = Object.assign(document.createElement("div"), { className: "mark" });
      element.dataset.channel = channel;
      move(element, this.layout.tile(this.places[channel]));
      return element;
    });
    this.parts.marks.replaceChildren(...elements);
  }

  // A finger scrolls; it marks by touching a channel once.
  startBrush(event) {
    if (!this.marking || event.button !== 0 || event.pointerType === "touch") return;
    const found = this.find({ x: event.clientX, y: event.clientY });
    if (!found) return;
    this.brushing = { on: !this.marked.has(found.channel), from: found.channel, at: [event.clientX, event.clientY], moved: false };
  }

  // Every channel on the way from the last point to this one, however fast the pointer is.
  brush(event) {
    const { brushing } = this;
    if (!brushing) return;
    const [x, y] = brushing.at;
    const steps = Math.max(1, Math.ceil(Math.hypot(event.clientX - x, event.clientY - y) / 8));
    const passed = Array.from({ length: steps }, (_, step) => {
      const part = (step + 1) / steps;
      return this.find({ x: x + (event.clientX - x) * part, y: y + (event.clientY - y) * part })?.channel;
    });
    brushing.at = [event.clientX, event.clientY];
    const others = passed.filter((channel) => channel !== undefined && channel !== brushing.from);
    if (!brushing.moved && !others.length) return;
    this.setMarks(brushing.moved ? others : [brushing.from, ...others], brushing.on);
    this.last = others.at(-1) ?? this.last;
    brushing.moved = true;
  }

  endBrush() {
    if (this.brushing?.moved) {
      this.brushed = true; // the click that follows belongs to the drag
      setTimeout(() => (this.brushed = false));
      this.report(0);
    }
    this.brushing = null;
  }

  setMarks(channels, on) {
    for (const channel of channels) on ? this.marked.add(channel) : this.marked.delete(channel);
    this.markTiles();
    this.describe();
  }

  // From the last channel to this one in the order that is shown.
  reach(channel) {
    const ends = [this.places[this.last ?? channel], this.places[channel]].sort((one, other) => one - other);
    return this.order.slice(ends[0], ends[1] + 1);
  }

  clickMark(channel, shift) {
    if (this.brushed) return;
    if (shift) this.setMarks(this.reach(channel), true);
    else this.setMarks([channel], !this.marked.has(channel));
    this.last = channel;
    this.report(0);
  }

  report(pause) {
    clearTimeout(this.marksTimer);
    const turn = this.marksTurn;
    const channels = [...this.marked].sort((one, other) => one - other);
    this.marksTimer = setTimeout(() => this.setStateValue("marks", { channels, turn }), pause);
  }

  // ── Choosing ──────────────────────────────────────────────────────────────────────────────────

  click(event) {
    const found = this.find({ x: event.clientX, y: event.clientY });
    if (!found) return;
    this.point({ x: event.clientX, y: event.clientY });
    if (!this.choosable) return;
    if (this.marking) return this.clickMark(found.channel, event.shiftKey);
    const cellwise = this.maps.header.cells && (this.alone || found.channel === this.choice.channel);
    this.choose(found.channel, cellwise && found.inside ? [found.row, found.column] : null, 0);
  }

  choose(channel, cell, pause) {
    choices.set(this.turn, { channel, cell });
    this.mark();
    clearTimeout(this.timer);
    const { turn } = this;
    this.timer = setTimeout(() => this.setStateValue("choice", { channel, cell, turn }), pause);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return this.point(null);
    const acted = /^\d$/.test(event.key) && !this.alone ? this.type(event.key)
      : this.marking && event.key === " " ? this.pressMark() : this.step(event.key);
    if (!acted) return;
    if (this.marking && event.shiftKey && this.choice.channel !== null) {
      this.setMarks([this.choice.channel], true);
      this.report(KEY_PAUSE);
    }
    event.preventDefault();
    event.stopPropagation();
    const shown = this.alone ? this.parts.chosenCell : this.parts.chosen;
    if (!shown.hidden) shown.scrollIntoView({ block: "nearest" });
  }

  pressMark() {
    const channel = this.choice.channel ?? (this.alone ? 0 : null);
    if (channel === null) return false;
    this.setMarks([channel], !this.marked.has(channel));
    this.last = channel;
    this.report(KEY_PAUSE);
    return true;
  }

  step(key) {
    if (this.alone) return this.maps.header.cells && this.stepCell(key);
    const last = this.maps.channels - 1;
    const { channel } = this.choice;
    const place = channel === null ? -1 : this.places[channel];
    const { columns } = this.layout;
    const aims = {
      ArrowRight: place + 1, ArrowLeft: place - 1, ArrowDown: place < 0 ? 0 : place + columns,
      ArrowUp: place - columns, Home: 0, End: last,
    };
    if (!(key in aims)) return false;
    const aim = aims[key];
    // Up or down beyond the edge stays; there is nothing above the first row.
    if (aim >= 0 && aim <= last) this.choose(this.order[aim], null, KEY_PAUSE);
    else if (place < 0) this.choose(this.order[0], null, KEY_PAUSE);
    return true;
  }

  stepCell(key) {
    const { height, width } = this.maps;
    const [row, column] = this.choice.cell ?? [0, -1];
    const aims = {
      ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1], ArrowDown: [row + 1, column],
      ArrowUp: [row - 1, column], Home: [row, 0], End: [row, width - 1],
    };
    if (!(key in aims)) return false;
    const clamp = (at, size) => Math.min(size - 1, Math.max(0, at));
    this.choose(0, [clamp(aims[key][0], height), clamp(aims[key][1], width)], KEY_PAUSE);
    return true;
  }

  type(digit) {
    const now = performance.now();
    const typed = now - (this.typedAt ?? -Infinity) < DIGIT_PAUSE ? this.typed + digit : digit;
    this.typed = Number(typed) < this.maps.channels ? typed : digit;
    this.typedAt = now;
    if (Number(this.typed) < this.maps.channels) this.choose(Number(this.typed), null, DIGIT_PAUSE);
    return true;
  }

  jump() {
    const { number: input } = this.parts;
    const wanted = input.value.trim();
    const valid = /^\d+$/.test(wanted) && Number(wanted) < this.maps.channels;
    if (valid) this.choose(Number(wanted), null, DIGIT_PAUSE);
    input.setAttribute("aria-invalid", String(!valid && wanted !== ""));
  }
}

// ── Bytes to values ─────────────────────────────────────────────────────────────────────────────

let halves; // float16 pattern → number

function halfTable() {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 31 ? (fraction ? NaN : Infinity)
      : exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024)
      : 2 ** -24 * fraction;
    table[bits] = bits & 32768 ? -size : size;
  }
  return table;
}

function decode(bytes) {
  halves ??= halfTable();
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const [channels, height, width] = header.shape;
  let at = 4 + length;
  const colors = bytes.subarray(at, (at += 768));
  const table = Array.from({ length: 256 }, (_, entry) => rgba(...colors.subarray(3 * entry, 3 * entry + 3)));
  const highs = new Float32Array(bytes.buffer, at, channels).map((high) => high * header.unit);
  const values = new Uint16Array(bytes.buffer, at + 4 * channels, channels * height * width);
  return {
    header, channels, height, width, highs, values,
    table: Uint32Array.from(table),
    missing: rgba(...header.missing),
    orders: ["index", ...Object.keys(header.orders)],
    identity: Array.from({ length: channels }, (_, channel) => channel),
    statistics: new Map(),
    at: (channel, row, column) => halves[values[(channel * height + row) * width + column]] * header.unit,
  };
}

function same(ours, theirs) {
  if (ours.length !== theirs.length) return false;
  for (let at = 0; at < ours.length; at++) if (ours[at] !== theirs[at]) return false;
  return true;
}

function statistics(maps, channel) {
  if (!maps.statistics.has(channel)) maps.statistics.set(channel, summarise(maps, channel));
  return maps.statistics.get(channel);
}

function summarise({ values, height, width, header }, channel) {
  const size = height * width;
  let [sum, zeros, least, most] = [0, 0, Infinity, -Infinity];
  for (let at = channel * size; at < (channel + 1) * size; at++) {
    const value = halves[values[at]] * header.unit;
    sum += value;
    if (value === 0) zeros++;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return { mean: sum / size, zeros: zeros / size, least, most };
}

// ── Values to pixels ────────────────────────────────────────────────────────────────────────────

const rgba = (red, green, blue) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
const css = (pixel) => `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;

function gradient(table) {
  const stops = Array.from({ length: 33 }, (_, stop) => css(table[Math.min(255, stop * 8)]));
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

// The same rule as drawing/colormaps.py.
function colorOf({ table, missing, header }, value, high) {
  if (Number.isNaN(value)) return missing;
  if (high === 0) return table[header.signed ? 128 : 0];
  const fraction = header.signed ? (value / high + 1) / 2 : value / high;
  return table[Math.floor(Math.min(1, Math.max(0, fraction)) * 255 + 0.5)];
}

// All maps at one pixel per cell on one small canvas, in rows of `across` maps.
function paint(maps, highOf) {
  const { channels, height, width, values, header } = maps;
  const across = Math.ceil(Math.sqrt(channels));
  const canvas = new OffscreenCanvas(across * width, Math.ceil(channels / across) * height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let channel = 0, from = 0; channel < channels; channel++) {
    const high = highOf(channel);
    const top = Math.floor(channel / across) * height;
    const left = (channel % across) * width;
    for (let row = 0; row < height; row++)
      for (let column = 0, to = (top + row) * canvas.width + left; column < width; column++)
        pixels[to++] = colorOf(maps, halves[values[from++]] * header.unit, high);
  }
  context.putImageData(image, 0, 0);
  return { canvas, across };
}

// How much larger the page's type is than PLAIN, as for a projector.
function enlarged() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / PLAIN || 1;
}

// Where tiles lie: whole device pixels per cell, as large as leaves the grid no taller than TALL.
function arrange({ channels, height, width }, room, ratio) {
  const alone = channels === 1;
  const rule = Math.max(1, Math.round(ratio));
  const wide = Math.floor(room * ratio) - 2 * rule;
  const gap = Math.round(GAP * ratio);
  const large = ratio * enlarged();
  const label = alone ? 0 : Math.round(LABEL * large);
  const fit = (scale) => {
    const columns = Math.max(1, Math.min(channels, Math.floor((wide + gap) / (scale * width + gap))));
    const inSight = Math.ceil(Math.min(channels, IN_SIGHT) / columns);
    const rows = Math.ceil(channels / columns);
    return { scale, columns, rows, tall: inSight * (scale * height + label + gap) };
  };
  const sizes = scales(channels, width, height, wide, large).map(fit);
  const { scale, columns, rows } = sizes.find(({ tall }) => alone || tall <= TALL * large) ?? sizes.at(-1);
  const [tileWide, tileTall] = [Math.round(scale * width), Math.round(scale * height)];
  const spare = columns > 1 && rows > 1 ? Math.floor((wide - columns * tileWide) / (columns - 1)) : gap;
  const across = tileWide + Math.min(Math.max(spare, gap), Math.round(gap * 2.5));
  const down = tileTall + label + gap;
  return {
    ratio, large, scale, columns, rule, label, tileWide, tileTall, across, down,
    wide: 2 * rule + (columns - 1) * across + tileWide,
    tall: 2 * rule + (rows - 1) * down + label + tileTall,
    ...places({ ratio, scale, columns, rule, label, tileWide, tileTall, across, down }),
  };
}

// The scales that could do, largest first: pixels per cell, or less than one for maps finer than the screen.
function scales(channels, width, height, wide, ratio) {
  const alone = channels === 1;
  const smallest = alone ? Infinity : SMALLEST;
  const limit = Math.min(wide, (alone ? LARGEST_ALONE : LARGEST) * ratio);
  const largest = Math.floor(limit / Math.max(width, height));
  const whole = Array.from({ length: Math.max(0, largest) }, (_, less) => largest - less);
  const parts = [1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8];
  const fine = parts.filter((part) => part * width <= wide && part * width >= SMALLEST_SHRUNK * ratio);
  const fitting = whole.filter((scale, at) => at === 0 || scale * width >= smallest * ratio);
  const all = [...fitting, ...(alone && whole.length ? [] : fine)];
  return all.length ? all : [Math.min(1, wide / width)];
}

// From a channel's place to its tile and cells in CSS pixels, and back from a point.
function places({ ratio, scale, columns, rule, label, tileWide, tileTall, across, down }) {
  const box = (left, top, w, h) => ({ left: left / ratio, top: top / ratio, width: w / ratio, height: h / ratio });
  const corner = (place) => [rule + (place % columns) * across, label + rule + Math.floor(place / columns) * down];
  return {
    corner,
    tile: (place) => box(...corner(place), tileWide, tileTall),
    cell: (place, row, column) => {
      const [left, top] = corner(place);
      return box(left + column * scale, top + row * scale, scale, scale);
    },
    find: (x, y) => {
      const column = Math.floor((x * ratio - rule) / across);
      const line = Math.floor((y * ratio - rule) / down);
      if (column < 0 || column >= columns || line < 0) return null;
      const place = line * columns + column;
      const [left, top] = corner(place);
      const [right, below] = [x * ratio - left, y * ratio - top];
      const inside = right >= 0 && right < tileWide && below >= 0 && below < tileTall;
      return { place, row: Math.floor(below / scale), column: Math.floor(right / scale), inside };
    },
  };
}

function blit(canvas, layout, maps, atlas, order, style) {
  const { ratio, large, rule, label, tileWide, tileTall } = layout;
  const { width, height } = maps;
  canvas.width = layout.wide;
  canvas.height = layout.tall;
  canvas.style.width = `${layout.wide / ratio}px`;
  canvas.style.height = `${layout.tall / ratio}px`;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = layout.scale < 1;
  context.imageSmoothingQuality = "high";
  context.strokeStyle = context.fillStyle = style.color;
  context.font = `500 ${Math.round(11 * large)}px ${style.fontFamily}`;
  context.textBaseline = "alphabetic";
  context.lineWidth = rule;
  order.forEach((channel, place) => {
    const [left, top] = layout.corner(place);
    const [x, y] = [(channel % atlas.across) * width, Math.floor(channel / atlas.across) * height];
    context.drawImage(atlas.canvas, x, y, width, height, left, top, tileWide, tileTall);
    context.globalAlpha = 0.22;
    context.strokeRect(left - rule / 2, top - rule / 2, tileWide + rule, tileTall + rule);
    context.globalAlpha = 0.72;
    if (label) context.fillText(channel, left, top - Math.round(4 * large));
    context.globalAlpha = 1;
  });
}

// ── Page ────────────────────────────────────────────────────────────────────────────────────────

function move(element, { left, top, width, height }) {
  element.style.transform = `translate(${left}px, ${top}px)`;
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
}

// Right below the pointer, or on its other side where the window ends.
function beside(tip, { x, y }) {
  const { width, height } = tip.getBoundingClientRect();
  const place = (at, size, end) => Math.max(4, at + 14 + size + 4 > end ? at - 10 - size : at + 14);
  const left = Math.min(place(x, width, window.innerWidth), window.innerWidth - width - 4);
  const top = Math.min(place(y, height, window.innerHeight), window.innerHeight - height - 4);
  tip.style.transform = `translate(${Math.round(Math.max(4, left))}px, ${Math.round(Math.max(4, top))}px)`;
}

function segments(group, entries) {
  const made = JSON.stringify(entries);
  if (group.dataset.made === made) return;
  group.dataset.made = made;
  group.querySelectorAll("label").forEach((label) => label.remove());
  for (const [value, text] of entries) {
    const input = Object.assign(document.createElement("input"), { type: "radio", value, name: group.dataset.choice });
    const label = document.createElement("label");
    label.append(input, text);
    group.append(label);
  }
}

function attributes(element, values) {
  for (const [name, value] of Object.entries(values))
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
}

function check(group, name) {
  for (const input of group.querySelectorAll("input")) input.checked = input.value === name;
}

// ── Texts ───────────────────────────────────────────────────────────────────────────────────────

function fill(template, fields) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => fields[name] ?? whole);
}

// A text as nodes: what stands between two ** is bold.
function withBold(text) {
  const bold = (part) => Object.assign(document.createElement("b"), { textContent: part });
  return text.split("**").map((part, index) => (index % 2 ? bold(part) : part));
}

// As drawing/ranges.py writes percent: 0 and 100 stand only for what is exactly that, halves go to even.
function percent(fraction) {
  const [whole, rest] = [Math.floor(fraction * 100), (fraction * 100) % 1];
  const rounded = whole + (rest > 0.5 || (rest === 0.5 && whole % 2) ? 1 : 0);
  if (fraction < 1 && rounded === 100) return "> 99%";
  return fraction > 0 && rounded === 0 ? "< 1%" : `${rounded}%`;
}

// As drawing/ranges.py writes numbers: three significant digits, a true minus sign.
function number(value) {
  if (Number.isNaN(value)) return "nan";
  const size = Math.abs(value);
  let text;
  if (size === Infinity) text = "inf";
  else if (size === 0) return "0";
  else if (size >= 1000 && size < 1e6) text = size.toFixed(0);
  else if (size < 1e-4 || size >= 1e6) text = size.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e").replace("e-", "e−");
  else text = String(Number(size.toPrecision(3)));
  return value < 0 ? `−${text}` : text;
}
