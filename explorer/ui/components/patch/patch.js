// A square over a picture, in whole pixels of the network's input. While it moves, Python is told at most
// every PAUSE milliseconds, and once more where it ends.

const PAUSE = 120;
const boards = new WeakMap(); // root → its Board

export default function ({ data, parentElement, setStateValue }) {
  let board = boards.get(parentElement);
  if (!board) boards.set(parentElement, (board = new Board(parentElement)));
  const run = ++board.run;
  board.setStateValue = setStateValue;
  board.show(data);
  return () => {
    if (board.run !== run) return; // a later run has taken over
    board.ending.abort();
    clearTimeout(board.timer);
    boards.delete(parentElement);
  };
}

class Board {
  constructor(root) {
    this.run = 0;
    this.ending = new AbortController();
    const find = (selector) => root.querySelector(selector);
    this.parts = { board: find(".board"), picture: find("img"), box: find(".box"), grip: find(".box i"), keys: find(".keys") };
    const on = (target, kind, act) => target.addEventListener(kind, act, { signal: this.ending.signal });
    on(this.parts.board, "pointerdown", (event) => this.start(event));
    on(this.parts.board, "pointermove", (event) => this.drag(event));
    on(this.parts.board, "pointerup", () => (this.from = null));
    on(this.parts.board, "pointercancel", () => (this.from = null));
    on(this.parts.box, "keydown", (event) => this.press(event));
  }

  show(data) {
    const { picture, box, keys } = this.parts;
    if (picture.src !== data.picture) picture.src = data.picture;
    picture.alt = data.label;
    keys.textContent = data.keys;
    box.setAttribute("aria-label", data.label);
    this.size = data.size;
    if (data.turn === this.turn) return; // the visitor's own square may be newer
    this.turn = data.turn;
    this.from = null;
    this.patch = { top: data.top, left: data.left, side: data.side };
    this.place();
  }

  place() {
    const { box } = this.parts;
    const percent = (pixels) => `${(100 * pixels) / this.size}%`;
    Object.assign(box.style, {
      top: percent(this.patch.top), left: percent(this.patch.left),
      width: percent(this.patch.side), height: percent(this.patch.side),
    });
  }

  // Where a pointer is, in pixels of the input.
  at(event) {
    const area = this.parts.board.getBoundingClientRect();
    return { x: ((event.clientX - area.left) / area.width) * this.size, y: ((event.clientY - area.top) / area.height) * this.size };
  }

  // On the square it is dragged, at its corner resized; elsewhere it comes to the pointer.
  start(event) {
    if (event.button !== 0) return;
    const at = this.at(event);
    const inside = event.target === this.parts.box || event.target === this.parts.grip;
    if (!inside && event.pointerType === "touch" && !event.isPrimary) return;
    if (!inside) this.move({ top: at.y - this.patch.side / 2, left: at.x - this.patch.side / 2 });
    this.from = { at, patch: { ...this.patch }, resize: event.target === this.parts.grip };
    this.parts.board.setPointerCapture(event.pointerId);
    this.parts.box.focus({ preventScroll: true });
    event.preventDefault();
  }

  drag(event) {
    if (!this.from) return;
    const { at, patch, resize } = this.from;
    const now = this.at(event);
    const [across, down] = [now.x - at.x, now.y - at.y];
    if (resize) this.move({ side: patch.side + Math.max(across, down) });
    else this.move({ top: patch.top + down, left: patch.left + across });
  }

  press(event) {
    const step = (event.shiftKey ? 4 : 1) * Math.max(1, Math.round(this.size / 32));
    const { top, left, side } = this.patch;
    const aims = {
      ArrowUp: { top: top - step }, ArrowDown: { top: top + step }, ArrowLeft: { left: left - step },
      ArrowRight: { left: left + step }, "+": { side: side + step }, "=": { side: side + step }, "-": { side: side - step },
    };
    if (!(event.key in aims) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.move(aims[event.key]);
  }

  move(change) {
    const wanted = { ...this.patch, ...change };
    const clamp = (value, low, high) => Math.min(high, Math.max(low, Math.round(value)));
    const room = "side" in change ? this.size - Math.max(wanted.top, wanted.left) : this.size;
    const side = clamp(wanted.side, 1, room);
    const patch = { top: clamp(wanted.top, 0, this.size - side), left: clamp(wanted.left, 0, this.size - side), side };
    if (patch.top === this.patch.top && patch.left === this.patch.left && side === this.patch.side) return;
    this.patch = patch;
    this.place();
    this.tell();
  }

  tell() {
    if (this.timer) return;
    const wait = Math.max(0, (this.told ?? -Infinity) + PAUSE - performance.now());
    this.timer = setTimeout(() => {
      this.timer = null;
      this.told = performance.now();
      this.setStateValue("patch", { ...this.patch, turn: this.turn });
    }, wait);
  }
}
