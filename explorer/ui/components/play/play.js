// Follows a path step by step. Each step has a duration; what is seen of it depends only on how far it has
// run, from 0 to 1, so that a pause holds it, a step shows all of it, and without motion only 1 is ever seen.

const SWEEP = 2.4, GRIDS = 1.1, ROW = 0.6, RESULT = 0.5, REST = 1.3; // seconds
const players = new WeakMap(); // root → its Player

export default function ({ data, parentElement }) {
  let player = players.get(parentElement);
  if (!player) players.set(parentElement, (player = new Player(parentElement)));
  const run = ++player.run;
  player.show(data);
  return () => {
    if (player.run !== run) return; // a later run has taken over
    player.pause();
    player.ending.abort();
    players.delete(parentElement);
  };
}

class Player {
  constructor(root) {
    this.run = 0;
    this.ending = new AbortController();
    const find = (selector) => root.querySelector(selector);
    this.parts = {
      play: find(".play"), go: find(".go"), goName: find(".go span"), back: find(".back"), next: find(".next"),
      speed: find("select"), speedName: find(".speed span"), speedAll: find(".speed"), count: find(".count"), keys: find(".keys"),
      strip: find(".strip"), title: find("h3"), sentence: find("p"), stage: find(".stage"), grids: find(".grids"),
      line: find(".line"), rows: find(".rows"), left: find(".left"), right: find(".right"),
    };
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    const on = (target, kind, act) => target.addEventListener(kind, act, { signal: this.ending.signal });
    on(this.parts.go, "click", () => this.toggle());
    on(this.parts.back, "click", () => this.go(this.at - 1));
    on(this.parts.next, "click", () => this.go(this.at + 1));
    on(this.parts.play, "keydown", (event) => this.press(event));
    on(this.calm, "change", () => this.settle());
  }

  show({ begins, ...data }) {
    this.draw(data);
    if (begins && !this.calm.matches) this.begin();
  }

  draw(data) {
    const text = JSON.stringify(data);
    if (text === this.shown) return;
    this.shown = text;
    this.pause();
    Object.assign(this, { words: data.words, scenes: data.scenes });
    const { play, back, next, speed, speedName, strip } = this.parts;
    play.setAttribute("aria-label", this.words.label);
    back.setAttribute("aria-label", (back.title = this.words.back));
    next.setAttribute("aria-label", (next.title = this.words.next));
    speedName.textContent = this.words.speed;
    const chosen = speed.value || "1";
    speed.replaceChildren(...Object.entries(data.speeds).map(([value, name]) => new Option(name, value)));
    speed.value = chosen;
    strip.replaceChildren(...this.scenes.map((scene, index) => this.thumb(scene, index)));
    this.settle();
    this.open(0, 1);
  }

  thumb(scene, index) {
    const button = element("button", "");
    button.type = "button";
    button.tabIndex = -1; // the arrow keys reach every step
    button.setAttribute("aria-label", (button.title = scene.title));
    const thumb = element("span", "thumb");
    if (scene.thumb) thumb.style.backgroundImage = `url(${scene.thumb})`;
    else thumb.textContent = scene.sign;
    button.append(thumb, element("span", "name", scene.chip));
    button.addEventListener("click", () => this.go(index));
    const item = element("li", "");
    item.append(button);
    return item;
  }

  // Without motion there is nothing to play, only steps.
  settle() {
    const { go, keys, speedAll } = this.parts;
    go.hidden = speedAll.hidden = this.calm.matches;
    keys.textContent = this.calm.matches ? this.words.still : this.words.keys;
    if (this.calm.matches) {
      this.pause();
      if (this.scene) this.render(1);
    }
  }

  // ── Moving through the steps ──────────────────────────────────────────────────────────────────

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typed = event.target.closest("select");
    const acts = {
      ArrowRight: () => this.go(this.at + 1), ArrowLeft: () => this.go(this.at - 1),
      Home: () => this.go(0), End: () => this.go(this.scenes.length - 1),
    };
    if (!event.target.closest("button, select")) acts[" "] = () => this.toggle();
    if (typed || !acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  go(index) {
    this.pause();
    this.inSight();
    if (index >= 0 && index < this.scenes.length) this.open(index, 1);
  }

  // Whoever goes on sees what happens, also below the buttons.
  inSight() {
    this.parts.play.scrollIntoView({ block: "nearest", behavior: this.calm.matches ? "auto" : "smooth" });
  }

  begin() {
    this.pause();
    this.open(0, 0);
    this.roll();
  }

  toggle() {
    if (this.calm.matches) return this.go(this.at + 1);
    if (this.playing) return this.pause();
    this.inSight();
    if (this.progress >= 1) this.open(this.at + 1 < this.scenes.length ? this.at + 1 : 0, 0);
    this.roll();
  }

  roll() {
    this.playing = true;
    this.before = performance.now();
    this.label();
    this.frame = requestAnimationFrame((now) => this.tick(now));
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.frame);
    if (this.words) this.label();
  }

  tick(now) {
    if (!this.playing) return;
    const passed = (Math.min(now - this.before, 100) / 1000) * Number(this.parts.speed.value);
    this.before = now;
    const progress = this.progress + passed / this.duration;
    if (progress < 1) this.render(progress);
    else if (this.at + 1 < this.scenes.length) this.open(this.at + 1, 0);
    else {
      this.render(1);
      return this.pause();
    }
    this.frame = requestAnimationFrame((later) => this.tick(later));
  }

  label() {
    const { play, goName, back, next } = this.parts;
    play.classList.toggle("playing", this.playing);
    goName.textContent = this.playing ? this.words.pause : this.words.play;
    back.disabled = !this.at;
    next.disabled = this.at + 1 >= this.scenes.length;
  }

  // ── One step ──────────────────────────────────────────────────────────────────────────────────

  open(index, progress) {
    this.at = index;
    const scene = (this.scene = this.scenes[index]);
    const { title, sentence, stage, grids, rows, line, count, strip, left, right } = this.parts;
    title.textContent = scene.title;
    sentence.textContent = scene.sentence;
    count.textContent = this.words.count.replace("{number}", index + 1).replace("{count}", this.scenes.length);
    stage.classList.toggle("alone", Boolean(scene.left) !== Boolean(scene.right));
    stage.classList.toggle("bare", !scene.left && !scene.right);
    picture(left, scene.left);
    picture(right, scene.right);
    grids.hidden = !scene.grids.length;
    grids.replaceChildren(...scene.grids.flatMap((grid) => [grid.sign && element("span", "sign", grid.sign), gridOf(grid)].filter(Boolean)));
    rows.replaceChildren(...scene.rows.map(rowOf), ...(scene.total ? [totalOf(scene.total)] : []));
    line.hidden = !scene.stops.length;
    if (scene.stops.length) this.lineOf(scene.stops);
    [...strip.children].forEach((item, n) => (item.className = n < index ? "done" : n === index ? "now" : ""));
    const now = strip.children[index];
    strip.scrollLeft = index && now.offsetLeft - strip.offsetLeft - (strip.clientWidth - now.clientWidth) / 2;
    this.times(scene);
    this.label();
    this.render(this.calm.matches ? 1 : progress);
  }

  // When each part of the step begins and ends, as fractions of its duration.
  times(scene) {
    let end = 0.2;
    const span = (seconds) => [end, (end += seconds)];
    const moments = {
      sweep: span(scene.sweep.length ? SWEEP : 0), grids: span(scene.grids.length ? GRIDS : 0),
      rows: span(ROW * Math.max(scene.rows.length, scene.stops.length - 1)), result: span(RESULT),
    };
    this.duration = end + REST;
    this.moments = Object.fromEntries(Object.entries(moments).map(([name, ends]) => [name, ends.map((at) => at / this.duration)]));
  }

  part(name, progress) {
    const [start, end] = this.moments[name];
    return end > start ? Math.min(1, Math.max(0, (progress - start) / (end - start))) : progress >= start ? 1 : 0;
  }

  render(progress) {
    this.progress = progress;
    const { scene } = this;
    this.sweep(this.part("sweep", progress), this.part("result", progress) > 0);
    [...this.parts.grids.children].forEach((grid, index, all) => {
      grid.style.opacity = this.part("grids", progress) * all.length > index ? 1 : 0;
    });
    const steps = Math.max(scene.rows.length, scene.stops.length - 1);
    const reached = this.part("rows", progress) * steps;
    scene.rows.forEach((row, index) => this.parts.rows.children[index].classList.toggle("later", index >= Math.ceil(reached)));
    if (scene.total) {
      const total = this.parts.rows.lastElementChild;
      const last = Math.ceil(reached) - 1;
      total.classList.toggle("later", last < 0);
      total.lastElementChild.textContent = progress < 1 && scene.rows[last]?.running && last + 1 < steps ? scene.rows[last].running : scene.total.text;
    }
    if (scene.stops.length) this.move(reached);
  }

  // The window slides on from place to place, and the result fills up to there.
  sweep(part, finished) {
    const { left, right } = this.parts;
    const { scene } = this;
    const index = Math.min(scene.sweep.length - 1, Math.floor(part * scene.sweep.length));
    const [source, result] = scene.sweep[index] ?? [scene.left?.box, scene.right?.box];
    const last = index === scene.sweep.length - 1 && part >= 1;
    place(left, scene.left, last || index < 0 ? scene.left?.box : source);
    place(right, scene.right, last || index < 0 ? scene.right?.box : result);
    right.classList.toggle("shown", finished || !scene.sweep.length);
    if (!scene.right || !scene.sweep.length) return;
    const [row, column] = result;
    const { rows, columns } = scene.right;
    veil(right.querySelector(".below"), (row + 1) / rows, 0);
    veil(right.querySelector(".beside"), row / rows, (column + 1) / columns, 1 / rows);
  }

  lineOf(stops) {
    const values = [0, ...stops.map((stop) => stop.value)];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    this.x = (value) => (high > low ? (100 * (value - low)) / (high - low) : 50);
    const zero = element("div", "tick");
    zero.style.left = `${this.x(0)}%`;
    zero.append(element("span", "", "0"));
    this.past = stops.map((stop) => element("div", "past"));
    this.past.forEach((mark, index) => (mark.style.left = `${this.x(stops[index].value)}%`));
    this.dot = element("div", "dot");
    this.dot.append(element("span", ""));
    this.parts.line.replaceChildren(element("div", "axis"), zero, ...this.past, this.dot);
  }

  move(reached) {
    const { stops } = this.scene;
    const from = Math.min(stops.length - 1, Math.floor(reached));
    const to = Math.min(stops.length - 1, from + 1);
    const part = ease(reached - from);
    this.dot.style.left = `${this.x(stops[from].value + (stops[to].value - stops[from].value) * part)}%`;
    this.dot.firstChild.textContent = stops[part > 0.98 ? to : from].text;
    this.past.forEach((mark, index) => (mark.hidden = index > from));
  }
}

function ease(part) {
  return part < 0.5 ? 2 * part * part : 1 - 2 * (1 - part) * (1 - part);
}

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

function picture(figure, scene) {
  figure.hidden = !scene;
  if (!scene) return;
  const image = figure.querySelector("img");
  image.src = scene.uri;
  image.alt = scene.alt;
  figure.querySelector(".map").style.setProperty("--ratio", scene.columns / scene.rows);
  figure.querySelector(".map").classList.toggle("smooth", Math.max(scene.rows, scene.columns) > 128);
  figure.querySelector("figcaption").textContent = scene.name;
}

function place(figure, scene, box) {
  const mark = figure.querySelector(".box");
  mark.hidden = !scene || !box;
  if (mark.hidden) return;
  const [top, left, height, width] = box;
  const percent = (cells, all) => `${(100 * cells) / all}%`;
  Object.assign(mark.style, {
    top: percent(top, scene.rows), left: percent(left, scene.columns),
    height: `max(7px, ${percent(height, scene.rows)})`, width: `max(7px, ${percent(width, scene.columns)})`,
  });
}

function veil(mark, top, left, height = 1 - top) {
  Object.assign(mark.style, { top: `${100 * top}%`, left: `${100 * left}%`, right: 0, height: `${100 * height}%` });
}

function gridOf(grid) {
  const made = element("div", "grid");
  const cells = element("div", grid.small ? "cells small" : "cells");
  cells.style.setProperty("--columns", grid.columns);
  cells.setAttribute("role", "img");
  cells.setAttribute("aria-label", grid.label);
  cells.append(
    ...grid.cells.map(([text, paper, ink, kind]) => {
      const cell = element("span", kind, text);
      if (paper) Object.assign(cell.style, { background: paper, color: ink });
      return cell;
    }),
  );
  made.append(element("b", "", grid.title), cells);
  return made;
}

function rowOf(row) {
  const made = element("div", `row ${row.kind}`);
  made.append(element("div", "what", row.name));
  if (row.share === null) made.classList.add("plain");
  else {
    const track = element("div", "track");
    const bar = element("i", row.share < 0 ? "against" : "");
    const zero = row.zero * 100;
    track.style.setProperty("--zero", `${zero}%`);
    const width = Math.abs(row.share) * (row.share < 0 ? zero : 100 - zero);
    Object.assign(bar.style, { left: `${row.share < 0 ? zero - width : zero}%`, width: `${width}%` });
    track.append(bar);
    made.append(track);
  }
  made.append(element("div", "much", row.text));
  return made;
}

function totalOf(total) {
  const made = element("div", "row total");
  made.append(element("div", "what", total.name), element("div", "much", total.text));
  return made;
}
