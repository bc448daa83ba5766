// Draws the stages of a network as columns of small maps, and lines for what flows into the chosen channel.
// The layout of the bytes is described in payload.py. One tile is in the order of the Tab key; arrow keys move
// among tiles, headings and classes.

const SVG = "http://www.w3.org/2000/svg";
// In columns: how wide the image is, the room for lines before a column that mixes channels, and the room
// before the classes; in pixels: the width of an operation's column, how much wider than its column a heading
// may be, the room between two headings, and the narrowest column. Stages that are too many are packed closer,
// and those that are still too many scroll.
const USUAL = { image: 1.9, fan: 0.55, end: 0.5, sign: 34, beyond: 6, apart: 6, narrowest: 34 };
const CLOSE = { image: 1.6, fan: 0.35, end: 0.4, sign: 24, beyond: 11, apart: 4, narrowest: 30 };
const PHONE = { ...USUAL, narrowest: 48 }; // where they scroll anyway
const WIDEST = 58; // where the page's type has 16 px; with larger type, as for a projector, columns may be wider
const ANSWERS = 118; // width of the classes
const WIDEST_ANSWERS = 180; // and of those with long names
const MARGIN = 10; // pixels before the classes, which stay in sight where the stages scroll
const MIXES = new Set(["conv", "dense", "block", "concat"]);
const CHIPS = 6; // of the largest lines, as buttons, and the sums of the others
const SHEET = 24; // columns on a canvas, which no browser allows to be much wider
const THICKEST = 6;
const ASIDE = 9; // pixels right of and below those lines where that of all others begins
const EDGE = 5; // pixels around the chosen channel, for its frame
const NEAREST = { block: "nearest", inline: "nearest" };

const pictures = new WeakMap(); // root → its Picture

export default function ({ data, parentElement, setTriggerValue }) {
  let picture = pictures.get(parentElement);
  if (!picture) pictures.set(parentElement, (picture = new Picture(parentElement)));
  const run = ++picture.run;
  picture.send = (event) => setTriggerValue("event", event);
  picture.show(data);
  return () => {
    if (picture.run !== run) return; // a later run has taken over
    picture.close();
    pictures.delete(parentElement);
  };
}

class Picture {
  constructor(root) {
    this.run = 0;
    this.pressed = root; // where the pointer went down
    this.about = new WeakMap(); // button → the event that a click on it sends, which says what it showed
    this.ending = new AbortController();
    const find = (selector) => root.querySelector(selector);
    this.parts = {
      network: find(".network"), frame: find(".frame"), plane: find(".plane"), lines: find(".lines"), rail: find(".rail"),
      threads: find(".threads"), maps: find(".maps"), heads: find(".heads"), tiles: find(".tiles"), answers: find(".answers"), status: find(".status"),
      flows: find(".flows"), tip: find(".tip"),
    };
    const { plane, tip, frame } = this.parts;
    const on = (target, kind, act) => target.addEventListener(kind, act, { signal: this.ending.signal });
    on(plane, "pointerdown", (event) => (this.pressed = event.target));
    on(plane, "pointerup", () => this.pressed.isConnected || this.click(this.pressed)); // drawn anew meanwhile: no click comes
    on(plane, "click", (event) => this.click(event.target, event.detail === 0));
    on(plane, "dblclick", ({ target }) => {
      const tile = target.closest("button.tile");
      if (tile) this.open(this.about.get(tile));
    });
    on(plane, "keydown", (event) => this.press(event));
    on(plane, "pointermove", (event) => this.say(event));
    on(plane, "pointerleave", () => tip.hidePopover());
    on(plane, "focusin", ({ target }) => {
      this.reach(target.closest("[data-at]"));
      if (target.matches(":focus-visible")) target.scrollIntoView(NEAREST); // the classes may lie over it
    });
    on(frame, "scroll", () => {
      tip.hidePopover();
      this.pin();
    });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(frame);
  }

  close() {
    this.observer.disconnect();
    this.ending.abort();
  }

  // ── Data ──────────────────────────────────────────────────────────────────────────────────────

  show(data) {
    const bytes = new Uint8Array(data); // a copy: `data` is a view into the whole message, at any offset
    if (this.bytes && same(this.bytes, bytes)) return;
    const before = this.drawn;
    this.bytes = bytes;
    Object.assign(this, decode(bytes));
    const { threads, chosen, status, opens, flows, none_flows, ...rest } = this.header;
    this.drawn = JSON.stringify(rest);
    if (before !== this.drawn || !same(this.lastMaps, this.maps)) this.draw();
    else {
      this.mark();
      this.uncover();
    }
    this.lastMaps = this.maps;
  }

  resize() {
    const room = this.parts.frame.clientWidth;
    if (!this.header || !room || this.room === room) return;
    this.draw();
  }

  // ── Where things are ──────────────────────────────────────────────────────────────────────────

  arrange() {
    const { stages, edges, answers } = this.header;
    this.room = this.parts.frame.clientWidth;
    this.type = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1; // how much larger than usual
    const skips = edges.filter(([from, to]) => to > from + 1);
    const arcs = skips.length ? Math.min(64, 18 + 6 * Math.sqrt(Math.max(...skips.map(([from, to]) => to - from)))) : 0;
    const { pitch, packing, small, places, end, answersWide } = this.fitting();
    const folds = stages.some((stage) => stage.folds) ? 24 : 0;
    const most = Math.max(...stages.map((stage) => stage.lines.length));
    const tile = pitch - 7;
    const picture = Math.round(packing.image * pitch);
    const top = arcs + 20 + (1 + most) * small * 1.2 + folds + 10;
    const row = tile + 12;
    const rows = Math.max(answers.length, ...stages.map((stage, index) => stage.tiles.length + (index ? 0 : packing.image)));
    const counts = this.widths(stages.map(({ rest }) => rest ?? ""), small - 1);
    for (const [index, place] of places.entries()) {
      place.count = Math.max(28, counts[index] + 4); // how wide the text below the column is
    }
    Object.assign(this, { pitch, packing, tile, picture, row, top, places, small, arcs, rail: arcs + 9, answersWide });
    this.answersAt = end;
    this.wide = end + answersWide;
    this.tall = top + rows * row + small * 1.4 + 4;
    this.center = top + (Math.min(8, rows) * row) / 2;
  }

  // The widest columns with which all of the picture is in sight: rather closer, and then a class in two lines,
  // than a number out of sight. Where none are, the stages scroll.
  fitting() {
    const phone = this.room < 600;
    const whole = this.widthOf(this.header.answers);
    for (const packing of phone ? [PHONE] : [USUAL, CLOSE]) {
      const { narrowest } = packing;
      for (let pitch = Math.round(WIDEST * this.type); pitch >= narrowest; pitch--) {
        const columns = this.packed(pitch, packing);
        const left = this.room - columns.end;
        const enough = packing !== USUAL && pitch === narrowest ? ANSWERS : whole;
        if (left >= enough) return spread(columns, left - whole, Math.min(whole, left));
      }
    }
    const answersWide = phone ? Math.min(whole, this.widthOf(this.header.answers, longestWord)) : whole;
    const packing = phone ? PHONE : USUAL;
    return { ...this.packed(packing.narrowest, packing), answersWide };
  }

  // Where columns of a width stand, so that no two headings touch, and where they end.
  packed(pitch, packing) {
    const { stages } = this.header;
    const small = this.sizeOfHeads(pitch, packing);
    const heads = stages.map(({ name, lines }) => Math.max(...this.widths([name], small), ...this.widths(lines, small, 400)));
    const names = heads.map((width) => Math.min(width, pitch + packing.beyond));
    const widths = stages.map((stage, index) => (index === 0 ? packing.image * pitch : stage.tiles.length ? pitch : packing.sign));
    let x = 2;
    const places = stages.map((stage, index) => {
      const wide = Math.round(widths[index]);
      const fan = index > 0 && MIXES.has(stage.kind) ? Math.round(packing.fan * pitch) : 0;
      const apart = index > 1 ? (names[index - 1] + names[index] - widths[index - 1] - wide) / 2 + packing.apart : 0;
      x += Math.max(fan, apart);
      const place = { left: x, middle: x + wide / 2, wide, name: names[index] };
      x += wide;
      return place;
    });
    return { pitch, packing, small, places, end: x + Math.round(packing.end * pitch) };
  }

  // How wide the classes have to be for this much of their names, and their probabilities.
  widthOf(answers, part = (name) => name) {
    const size = parseFloat(getComputedStyle(this.parts.network).fontSize);
    const widths = this.widths(answers.map(({ name, percent }) => part(name) + percent), size).map((width) => width + size);
    return Math.ceil(Math.min(WIDEST_ANSWERS, Math.max(ANSWERS, ...widths)));
  }

  // The type of the headings in pixels: where the page's is larger they are, too, as far as their names have room.
  sizeOfHeads(pitch, packing) {
    const usual = pitch < 44 ? 10 : pitch < 52 ? 11 : pitch <= WIDEST ? 12 : 13;
    const columns = this.header.stages.slice(1).filter((stage) => stage.tiles.length);
    const widest = Math.max(1, ...this.widths(columns.map(({ name }) => name), usual));
    return Math.max(usual, Math.floor(Math.min(usual * this.type, (usual * (pitch + packing.beyond)) / widest)));
  }

  // How wide a heading may be: over a sign as far as the headings beside it leave room.
  roomOf(index) {
    const stage = this.header.stages[index];
    const { middle, wide, name } = this.places[index];
    const { fan, beyond, apart } = this.packing;
    if (stage.tiles.length) return wide + Math.max(beyond, MIXES.has(stage.kind) ? fan * this.pitch * 0.6 : 0);
    const beside = [this.places[index - 1], this.places[index + 1]].filter(Boolean);
    const free = Math.min(...beside.map((other) => Math.abs(other.middle - middle) - other.name / 2 - apart / 2));
    return Math.max(wide + beyond, Math.min(name + 2, 2 * free));
  }

  // How wide texts are in type of a size in pixels, bold as names are or not.
  widths(texts, size, weight = 650) {
    const context = (this.pen ??= document.createElement("canvas").getContext("2d"));
    context.font = `${weight} ${size}px ${getComputedStyle(this.parts.network).fontFamily}`;
    return texts.map((text) => context.measureText(text).width);
  }

  // The tile's box; row −1 is what a column does not show, or the sign of an operation.
  box(index, row) {
    const { middle, count } = this.places[index];
    const stage = this.header.stages[index];
    const first = index === 0 ? this.top + this.picture + 10 : this.top;
    if (!stage.tiles.length) return { left: middle - 11, right: middle + 11, y: this.center };
    if (row < 0) return { left: middle - count / 2, right: middle + count / 2, y: first + stage.tiles.length * this.row + this.small * 0.6 };
    const [left, top] = [onPixel(middle - this.tile / 2), onPixel(first + row * this.row)];
    return { left, right: left + this.tile, top, y: top + this.tile / 2 };
  }

  // ── Drawing ───────────────────────────────────────────────────────────────────────────────────

  draw() {
    this.parts.tip.hidePopover(); // it is about what is drawn anew
    this.arrange();
    const { network, plane, frame, maps, heads, tiles, answers, lines } = this.parts;
    const focused = plane.getRootNode().activeElement?.closest?.("[data-at]")?.dataset.at;
    const scrolled = frame.scrollLeft;
    network.style.setProperty("--tile", `${this.tile}px`);
    network.style.setProperty("--small", `${this.small}px`);
    network.style.setProperty("--answers", `${this.answersWide + MARGIN}px`);
    Object.assign(plane.style, { width: `${this.wide}px`, height: `${this.tall}px` });
    plane.setAttribute("aria-label", this.header.label);
    for (const [name, value] of Object.entries({ width: this.wide, height: this.tall })) lines.setAttribute(name, value);
    const columns = this.header.stages.map((_, index) => this.column(index));
    this.grid = columns.map((tiles) => tiles.filter((tile) => tile.tagName === "BUTTON"));
    this.grid.push(this.header.answers.map((answer, k) => this.answer(answer, k)));
    maps.replaceChildren(...this.sheets());
    heads.replaceChildren(...this.header.stages.map((_, index) => this.head(index)));
    tiles.replaceChildren(this.image(), ...columns.flat(), ...this.rests());
    answers.replaceChildren(...this.answersHead(), ...this.grid.at(-1));
    answers.hidden = this.header.stopped;
    for (const [index, column] of this.grid.entries()) {
      const name = heads.children[index]?.querySelector("button.name");
      if (name) column.unshift(name);
    }
    this.drawRail();
    this.mark();
    frame.scrollLeft = scrolled;
    this.uncover();
    this.pin();
    if (focused) plane.querySelector(`[data-at="${focused}"]`)?.focus({ preventScroll: true });
  }

  // Scrolls as far as the chosen channel needs, where it is cut off; where it is out of sight, the picture is what
  // one begins with.
  uncover() {
    const { frame, answers, tiles } = this.parts;
    const chosen = tiles.querySelector('[aria-pressed="true"]')?.getBoundingClientRect();
    if (!chosen) return;
    const { left, right } = frame.getBoundingClientRect();
    const end = answers.hidden ? right : answers.getBoundingClientRect().left;
    if (chosen.left < end && end < chosen.right + EDGE) frame.scrollLeft += chosen.right + EDGE - end;
    else if (chosen.left - EDGE < left && left < chosen.right) frame.scrollLeft += chosen.left - EDGE - left;
  }

  // Whether the classes lie over the last stages, which are scrolled out of sight.
  pin() {
    const { frame, answers } = this.parts;
    answers.classList.toggle("pinned", frame.scrollLeft + frame.clientWidth < this.wide - 1);
  }

  head(index) {
    const stage = this.header.stages[index];
    const { middle } = this.places[index];
    const room = this.roomOf(index);
    const head = element("div", `head${stage.stopped ? " stopped" : ""}`);
    place(head, { left: middle - room / 2, top: this.arcs + 20, width: room });
    const name = element(stage.opens ? "button" : "div", "name", stage.name);
    name.dataset.at = `head ${index}`;
    name.dataset.tip = stage.text;
    if (stage.opens) Object.assign(name, { type: "button", tabIndex: -1, ariaLabel: stage.text });
    this.about.set(name, { kind: "page", node: stage.node });
    head.append(name, ...stage.lines.map((line) => element("span", "", line)));
    if (stage.folds) {
      const fold = element("button", "fold", stage.folds === "unfold" ? "+" : "−");
      Object.assign(fold, { type: "button", ariaLabel: stage.folds_text });
      fold.dataset.at = `fold ${index}`;
      fold.dataset.tip = stage.folds_text;
      this.about.set(fold, { kind: "fold", node: stage.node });
      head.append(fold);
    }
    return head;
  }

  // Their name, and where they are on the line of the stages.
  answersHead() {
    const head = element("div", "head");
    place(head, { left: MARGIN, top: this.arcs + 20, width: this.answersWide });
    head.append(element("div", "name", this.header.answers_name), element("span", "", this.header.answers_line));
    const stop = element("i", "stop");
    place(stop, { top: this.rail - 1, width: MARGIN + 6 });
    return [stop, head];
  }

  image() {
    const { header } = this;
    const frame = element("div", "picture");
    place(frame, { left: this.places[0].left, top: this.top, width: this.picture, height: this.picture });
    frame.setAttribute("role", "img");
    frame.setAttribute("aria-label", header.image_text);
    frame.dataset.tip = header.image_text;
    frame.append(painted(header.image[1], header.image[0], (at) => [0, 1, 2].map((k) => this.pixels[3 * at + k])));
    return frame;
  }

  column(index) {
    const stage = this.header.stages[index];
    const unit = flat(stage);
    const still = stage.kind === "image" || this.header.stopped; // nothing flows in, and no page is about it
    return stage.tiles.map((tile, row) => {
      const button = element(still ? "div" : "button", unit ? "tile unit" : "tile");
      const box = this.box(index, row);
      place(button, { left: box.left, top: box.top, width: this.tile });
      if (still) button.setAttribute("role", "img");
      else Object.assign(button, { type: "button", tabIndex: -1 });
      button.ariaLabel = tile.text;
      button.dataset.at = `tile ${index} ${row}`;
      button.dataset.tip = tile.text;
      this.about.set(button, { kind: "choose", node: stage.node, channel: tile.channel });
      const face = element("span", "face");
      if (unit) face.style.background = `rgb(${this.colorOf(stage, row)})`;
      button.append(face);
      if (tile.bar !== null) button.append(bar(tile.bar));
      return button;
    });
  }

  // The maps of many columns on one canvas: the browser keeps a layer for each canvas, and many layers are slow.
  sheets() {
    const columns = this.header.stages.map((_, index) => index).filter((index) => pictured(this.header.stages[index]));
    const parts = Array.from({ length: Math.ceil(columns.length / SHEET) }, (_, k) => columns.slice(k * SHEET, (k + 1) * SHEET));
    return parts.map((part) => this.sheet(part));
  }

  sheet(columns) {
    const ratio = window.devicePixelRatio;
    const [left, right] = [this.box(columns[0], 0).left, this.box(columns.at(-1), 0).right];
    const canvas = element("canvas", "");
    place(canvas, { left, top: 0, width: right - left, height: this.tall });
    Object.assign(canvas, { width: Math.round((right - left) * ratio), height: Math.round(this.tall * ratio) });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.translate(-left, 0);
    context.imageSmoothingEnabled = false;
    const boxes = columns.map((index) => this.header.stages[index].tiles.map((_, row) => this.box(index, row)));
    for (const { left, top } of boxes.flat()) context.roundRect(left, top, this.tile, this.tile, 3);
    context.clip();
    for (const [k, index] of columns.entries()) {
      const stage = this.header.stages[index];
      const [count, height, width] = stage.shape;
      const maps = painted(width, count * height, (at) => this.colorOf(stage, at));
      for (const [row, { left, top }] of boxes[k].entries())
        context.drawImage(maps, 0, row * height, width, height, left, top, this.tile, this.tile);
    }
    return canvas;
  }

  // Red, green and blue of a value of a stage's maps.
  colorOf({ at, table }, index) {
    const value = this.maps[at + index];
    return this.tables[table].subarray(3 * value, 3 * value + 3);
  }

  rests() {
    return this.header.stages.flatMap((stage, index) => {
      if (!stage.rest || !stage.tiles.length) return [];
      const rest = element("div", "rest", stage.rest);
      const { left, right, y } = this.box(index, -1);
      place(rest, { left, top: y - this.small * 0.6, width: right - left });
      return [rest];
    });
  }

  answer({ name, percent, fraction, text, explained, channel }, k) {
    const button = element("button", "answer");
    Object.assign(button, { type: "button", tabIndex: -1, ariaLabel: text, ariaPressed: String(explained) });
    button.dataset.at = `class ${k}`;
    this.about.set(button, { kind: "class", channel });
    button.dataset.tip = text;
    const y = this.top + k * this.row + this.tile / 2;
    place(button, { left: MARGIN, top: y - 2, width: this.answersWide - 2 });
    const line = element("span", "");
    line.append(element("span", "called", name), element("span", "", percent));
    const track = element("span", "track");
    const filled = element("i", "");
    filled.style.width = `${100 * fraction}%`;
    track.append(filled);
    button.append(line, track);
    return button;
  }

  drawRail() {
    const { stages, edges } = this.header;
    const stops = this.places.map(({ middle }) => middle);
    const y = this.rail;
    const widest = Math.max(1, ...edges.map(([from, to]) => to - from));
    const path = ([from, to]) => {
      const [a, b] = [stops[from], stops[to]];
      if (to === from + 1) return `M${a} ${y}L${b} ${y}`;
      const h = this.arcs * (0.35 + 0.65 * Math.sqrt((to - from) / widest)) * 1.25;
      return `M${a} ${y}C${a} ${y - h} ${b} ${y - h} ${b} ${y}`;
    };
    const marks = stages.flatMap((stage, index) => {
      const dot = svg("circle", { cx: stops[index], cy: y, r: 3.5, class: stage.stopped ? "layer stopped" : "layer" });
      if (stage.tiles.length || !stage.sign) return [dot];
      const sign = svg("text", { x: stops[index], y: this.center });
      sign.textContent = stage.sign;
      return [dot, svg("circle", { cx: stops[index], cy: this.center, r: 11 }), sign];
    });
    const end = this.header.stopped ? [] : [svg("path", { d: `M${stops.at(-1)} ${y}L${this.answersAt} ${y}` })];
    this.parts.rail.replaceChildren(...edges.map((edge) => svg("path", { d: path(edge) })), ...end, ...marks);
  }

  // ── What is chosen ────────────────────────────────────────────────────────────────────────────

  mark() {
    const { chosen, threads, status, opens } = this.header;
    for (const tile of this.parts.tiles.querySelectorAll("button.tile")) tile.ariaPressed = "false";
    const tile = chosen && this.at(`tile ${chosen.join(" ")}`);
    if (tile) tile.ariaPressed = "true";
    this.reach(this.parts.plane.getRootNode().activeElement?.closest?.("[data-at]") ?? tile ?? this.grid.flat()[0]);
    this.parts.threads.replaceChildren(...threads.map((thread, index) => this.thread(thread, index)));
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.parts.threads.animate({ opacity: [0, 1] }, 250);
    this.parts.status.replaceChildren(...withBold(status));
    this.parts.flows.replaceChildren(...this.chips(opens));
  }

  at(name) {
    return this.parts.plane.querySelector(`[data-at="${name}"]`);
  }

  thread({ source, target, value, text, opens, together }, index) {
    const [from, to] = [this.box(...source), this.box(...target)];
    const aside = together ? ASIDE : 0; // of the lines of single channels that are not shown
    const [a, b, start] = [from.right + 2 + aside, to.left - 2, from.y + aside];
    const bend = Math.max(6, (b - a) / 2);
    const d = `M${a} ${start}C${a + bend} ${start} ${b - bend} ${to.y} ${b} ${to.y}`;
    const group = svg("g", opens ? { class: "opens" } : {});
    group.dataset.tip = text;
    group.dataset.thread = index;
    const width = Math.max(0.75, THICKEST * Math.abs(value));
    const name = `thread${value < 0 ? " against" : ""}${together ? " others" : ""}`;
    group.append(svg("path", { d, class: name, "stroke-width": width }), svg("path", { d, class: "reach" }));
    return group;
  }

  chips(opens) {
    const { threads, flows, none_flows } = this.header;
    const into = (target) => threads.filter((thread) => String(thread.target) === String(target)).length;
    const fan = threads.map((thread, index) => ({ ...thread, index })).filter(({ target, opens }) => opens || into(target) > 1);
    const single = fan.filter(({ together }) => !together).sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
    const rest = fan.filter(({ together }) => together);
    const chips = [...single.slice(0, Math.max(1, CHIPS - rest.length)), ...rest].map(({ label, amount, value, text, index, opens }) => {
      const chip = element(opens ? "button" : "span", "chip", `${label} `);
      if (opens) chip.type = "button";
      chip.title = text;
      chip.append(element("b", value < 0 ? "against" : "", amount));
      if (opens) chip.addEventListener("click", () => this.send({ kind: "kernel", index }));
      chip.addEventListener("pointerenter", () => this.parts.threads.children[index]?.classList.add("pointed"));
      chip.addEventListener("pointerleave", () => this.parts.threads.children[index]?.classList.remove("pointed"));
      return chip;
    });
    const main = element("button", "main", opens);
    main.type = "button";
    main.addEventListener("click", () => {
      const [index, row] = this.header.chosen;
      const stage = this.header.stages[index];
      this.open({ node: stage.node, channel: stage.tiles[row].channel });
    });
    const words = chips.length ? flows : threads.length ? "" : none_flows;
    return [...(opens ? [main] : []), ...(words ? [element("span", "", words)] : []), ...chips];
  }

  // ── What the visitor does ─────────────────────────────────────────────────────────────────────

  click(target, byKey = false) {
    const thread = target.closest("[data-thread]");
    if (thread?.classList.contains("opens")) return this.send({ kind: "kernel", index: Number(thread.dataset.thread) });
    const at = target.closest("[data-at]");
    if (!at || at.tagName !== "BUTTON") return;
    const about = this.about.get(at);
    if (about.kind !== "choose") this.send(about);
    else if (at.ariaPressed !== "true") this.choose(at, about);
    else if (byKey) this.open(about); // Enter on the chosen one
  }

  choose(tile, about) {
    for (const other of this.parts.tiles.querySelectorAll('.tile[aria-pressed="true"]')) other.ariaPressed = "false";
    tile.ariaPressed = "true";
    this.parts.threads.replaceChildren();
    this.send(about);
  }

  open({ node, channel }) {
    this.send({ kind: "open", node, channel });
  }

  press(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const here = event.target.closest("[data-at]");
    const step = steps[event.key];
    const column = this.grid.findIndex((buttons) => buttons.includes(here));
    if (!step || column < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = step[0] ? this.beside(column, here, step[0]) : this.grid[column][this.grid[column].indexOf(here) + step[1]];
    next?.focus();
    next?.scrollIntoView(NEAREST);
  }

  // The button of the next column that has any, at the same height.
  beside(column, here, step) {
    const height = (button) => button.getBoundingClientRect().top;
    for (let at = column + step; at >= 0 && at < this.grid.length; at += step) {
      if (!this.grid[at].length) continue;
      return this.grid[at].reduce((best, each) => (Math.abs(height(each) - height(here)) < Math.abs(height(best) - height(here)) ? each : best));
    }
    return null;
  }

  // The one that the Tab key reaches.
  reach(button) {
    if (!button || button.tagName !== "BUTTON" || button.classList.contains("fold")) return;
    if (this.reached) this.reached.tabIndex = -1;
    this.reached = button;
    button.tabIndex = 0;
  }

  say(event) {
    const { tip } = this.parts;
    const about = event.target.closest("[data-tip]");
    if (!about || event.pointerType === "touch") return void tip.hidePopover();
    tip.textContent = about.dataset.tip;
    tip.showPopover();
    const { width, height } = tip.getBoundingClientRect();
    const [left, top] = [event.clientX + 14, event.clientY + 16];
    const x = Math.max(4, Math.min(left, window.innerWidth - width - 4));
    const y = top + height + 4 > window.innerHeight ? event.clientY - height - 10 : top;
    tip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}

// ── Bytes ───────────────────────────────────────────────────────────────────────────────────────

function decode(bytes) {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  const tables = [0, 1].map((k) => bytes.subarray(at + 768 * k, at + 768 * (k + 1)));
  at += 2 * 768;
  const pixels = bytes.subarray(at, at + header.image[0] * header.image[1] * 3);
  const maps = bytes.subarray(at + pixels.length);
  let offset = 0;
  for (const stage of header.stages) {
    stage.at = offset;
    offset += stage.shape[0] * stage.shape[1] * stage.shape[2];
  }
  return { header, tables, pixels, maps };
}

// Columns with the room that is left, a few pixels at most, between them.
function spread(columns, left, answersWide) {
  const each = Math.min(4, Math.max(left, 0) / columns.places.length);
  const places = columns.places.map((place, index) => ({ ...place, left: place.left + each * index, middle: place.middle + each * index }));
  return { ...columns, places, end: columns.end + each * places.length, answersWide };
}

function longestWord(name) {
  return name.split(" ").reduce((longest, word) => (word.length > longest.length ? word : longest), "");
}

// Whether its channels have one value each, as those of dense layers do.
function flat({ shape }) {
  return shape[1] * shape[2] === 1;
}

// Whether it has maps to draw.
function pictured(stage) {
  return stage.tiles.length > 0 && !flat(stage);
}

// The nearest place at which a pixel of the screen begins.
function onPixel(length) {
  return Math.round(length * window.devicePixelRatio) / window.devicePixelRatio;
}

function same(one, other) {
  return one?.length === other?.length && one.every((value, index) => value === other[index]);
}

function painted(width, height, color) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    const [red, green, blue] = color(at);
    image.data.set([red, green, blue, 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// ── Page ────────────────────────────────────────────────────────────────────────────────────────

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function place(made, box) {
  for (const [name, value] of Object.entries(box)) made.style[name] = `${value}px`;
}

function bar(value) {
  const track = element("span", "bar");
  const filled = element("i", value < 0 ? "against" : "");
  filled.style.width = `${50 * Math.min(1, Math.abs(value))}%`;
  track.append(filled);
  return track;
}

// A text as nodes: what stands between two ** is bold.
function withBold(text) {
  return text.split("**").map((part, index) => (index % 2 ? element("b", "", part) : part));
}
