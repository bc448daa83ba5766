// Counts clicks on its buttons, and letters that stand for them, and reports the sum: the first at once,
// those that follow quickly together, so that a key held down does not ask for thirty pages a second.

const PAUSE = 150; // ms between two reports

const counters = new WeakMap(); // root → its Counter

export default function ({ data, parentElement, setStateValue }) {
  let counter = counters.get(parentElement);
  if (!counter) counters.set(parentElement, (counter = new Counter(parentElement)));
  const run = ++counter.run;
  counter.setStateValue = setStateValue;
  counter.show(data.buttons);
  return () => {
    if (counter.run !== run) return; // a later run has taken over
    counter.close();
    counters.delete(parentElement);
  };
}

class Counter {
  constructor(root) {
    this.run = 0;
    this.sum = 0;
    this.drawn = Math.random().toString(36).slice(2);
    this.row = root.querySelector(".buttons");
    this.ending = new AbortController();
    document.addEventListener("keydown", (event) => this.press(event), { signal: this.ending.signal });
  }

  show(buttons) {
    const text = JSON.stringify(buttons);
    if (text === this.shown) return; // a button that is focused stays
    this.shown = text;
    this.buttons = buttons;
    this.row.replaceChildren(...buttons.map((button) => this.drawnButton(button)));
  }

  drawnButton({ label, by, letter }) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(label);
    if (letter) {
      const key = document.createElement("kbd");
      key.textContent = letter;
      key.ariaHidden = "true";
      button.append(key);
      button.setAttribute("aria-keyshortcuts", letter);
    }
    button.addEventListener("click", () => this.count(by));
    return button;
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event)) return;
    const button = this.buttons.find(({ letter }) => letter && letter.toLowerCase() === event.key.toLowerCase());
    if (button) this.count(button.by);
  }

  count(by) {
    this.sum += by;
    if (this.timer) return; // reported when the pause is over
    this.report();
    this.timer = setTimeout(() => this.pauseOver(), PAUSE);
  }

  pauseOver() {
    this.timer = null;
    if (this.sum !== this.reported) this.count(0);
  }

  report() {
    this.reported = this.sum;
    this.setStateValue("count", { drawn: this.drawn, sum: this.sum });
  }

  close() {
    clearTimeout(this.timer);
    this.ending.abort();
  }
}

function isTyping(event) {
  const target = event.composedPath()[0];
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
