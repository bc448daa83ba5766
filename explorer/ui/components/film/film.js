// Plays pictures that the server has sent once; the server hears where the film stops, not of each picture.

const films = new WeakMap(); // root → its Film
const PAUSE = 300; // ms after the last step, then the server is told

export default function ({ data, parentElement, setTriggerValue }) {
  let film = films.get(parentElement);
  if (!film) films.set(parentElement, (film = new Film(parentElement)));
  const run = ++film.run;
  film.send = setTriggerValue;
  film.show(data);
  return () => {
    if (film.run !== run) return; // a later run has taken over
    film.close();
    films.delete(parentElement);
  };
}

class Film {
  constructor(root) {
    this.run = 0;
    this.ending = new AbortController();
    const part = (name) => root.querySelector(name);
    Object.assign(this, { figure: part("figure"), picture: part("img"), caption: part("figcaption") });
    Object.assign(this, { row: part(".controls"), button: part(".play"), speed: part("select"), bar: part(".track i") });
    const listen = (target, act, handle) => target.addEventListener(act, handle, { signal: this.ending.signal });
    listen(this.button, "click", () => this.toggle());
    listen(part(".back"), "click", () => this.step(-1));
    listen(part(".on"), "click", () => this.step(1));
    listen(this.speed, "change", () => this.playing && this.schedule());
    listen(this.figure, "keydown", (event) => this.press(event));
    listen(this.picture, "load", () => this.picture.classList.toggle("crisp", this.picture.naturalWidth <= 128));
    this.buttons = [part(".back"), part(".on")];
  }

  show(data) {
    const first = data.digest !== this.data?.digest;
    if (first) this.stop();
    const moved = first || data.index !== this.data.index;
    this.addresses = data.addresses.map((address, n) => address || (first ? "" : this.addresses[n]));
    this.data = data;
    if (first) this.label();
    if (moved && !this.playing && !this.telling) this.at = data.index;
    if (this.waiting && this.complete()) this.play();
    this.draw();
  }

  label() {
    const { words, speeds, frames } = this.data;
    const chosen = Number(this.speed.value) || (matchMedia("(prefers-reduced-motion: reduce)").matches ? this.data.calm : this.data.normal);
    this.speed.replaceChildren(...speeds.map(([value, text]) => new Option(text, value, false, value === chosen)));
    this.speed.ariaLabel = words.speed;
    [this.buttons[0].ariaLabel, this.buttons[1].ariaLabel] = [words.back, words.on];
    this.row.hidden = frames.length < 2;
  }

  complete() {
    return this.addresses.every(Boolean);
  }

  toggle() {
    if (this.playing || this.waiting) return this.pause();
    if (this.complete()) return this.play();
    this.waiting = true;
    this.send("wanted", this.data.digest);
    this.draw();
  }

  play() {
    this.waiting = false;
    this.playing = true;
    if (this.at === this.data.frames.length - 1) this.at = 0;
    this.schedule();
    this.draw();
  }

  schedule() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.advance(), 1000 / Number(this.speed.value));
  }

  advance() {
    this.at += 1;
    if (this.at >= this.data.frames.length - 1) return this.pause();
    this.schedule();
    this.draw();
  }

  pause() {
    const played = this.playing;
    this.stop();
    if (played) this.tell();
    this.draw();
  }

  stop() {
    clearTimeout(this.timer);
    this.playing = this.waiting = false;
  }

  step(by) {
    this.stop();
    this.at = Math.min(Math.max(this.at + by, 0), this.data.frames.length - 1);
    this.tell();
    this.draw();
  }

  press(event) {
    if (event.target === this.speed || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || this.row.hidden) return;
    event.preventDefault();
    this.step(by);
  }

  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.telling = null;
      if (this.at !== this.data.index) this.send("index", this.at);
    }, PAUSE);
  }

  draw() {
    const { frames, words } = this.data;
    const frame = frames[this.at];
    if (this.addresses[this.at]) this.picture.src = this.addresses[this.at]; // else the server sends it soon
    this.picture.alt = frame.alt;
    this.caption.replaceChildren(
      ...frame.lines.map((text) => {
        const line = document.createElement("div");
        line.textContent = text;
        return line;
      }),
    );
    this.button.textContent = this.waiting ? words.wait : this.playing ? `❚❚ ${words.pause}` : `▶ ${words.play}`;
    this.figure.dataset.index = this.at;
    for (const each of document.querySelectorAll(".fx-of-picture")) each.hidden = Number(each.dataset.index) !== this.at;
    this.bar.style.width = `${(100 * this.at) / Math.max(frames.length - 1, 1)}%`;
  }

  close() {
    this.stop();
    clearTimeout(this.telling);
    this.ending.abort();
  }
}
