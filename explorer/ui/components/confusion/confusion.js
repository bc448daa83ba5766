// A table of buttons, one of which is in the order of the Tab key; arrow keys move among them.

const matrices = new WeakMap(); // root → its Matrix

export default function ({ data, parentElement, setTriggerValue }) {
  let matrix = matrices.get(parentElement);
  if (!matrix) matrices.set(parentElement, (matrix = new Matrix(parentElement)));
  const run = ++matrix.run;
  matrix.setTriggerValue = setTriggerValue;
  matrix.show(data);
  return () => {
    if (matrix.run !== run) return; // a later run has taken over
    matrix.ending.abort();
    matrices.delete(parentElement);
  };
}

class Matrix {
  constructor(root) {
    this.run = 0;
    this.at = [0, 0]; // of the button that the Tab key reaches: −1 is a heading
    this.table = root.querySelector("table");
    this.tip = root.querySelector(".tip");
    this.ending = new AbortController();
    const on = (kind, act) => this.table.addEventListener(kind, act, { signal: this.ending.signal });
    on("click", (event) => this.choose(event));
    on("keydown", (event) => this.press(event));
    on("focusin", (event) => this.say(event));
    on("pointerover", (event) => this.say(event));
    on("pointerleave", () => this.say({ target: this.chosen ?? this.table }));
  }

  show(data) {
    const { chosen, ...drawn } = data;
    const text = JSON.stringify(drawn);
    if (text !== this.shown) {
      this.shown = text;
      this.draw(data);
    }
    this.mark(chosen);
  }

  draw(data) {
    this.buttons = new Map();
    this.count = data.names.length;
    this.table.setAttribute("aria-label", data.label);
    const corner = element("td", "corner");
    corner.append(textOf("span", `${data.columns} →`), textOf("span", `${data.rows} ↓`));
    const columns = data.names.map((name, column) => this.head("col", [-1, column], name, data.column_tips[column]));
    const head = row(corner, ...columns);
    const rows = data.cells.map((cells, k) =>
      row(this.head("row", [k, -1], data.names[k], data.row_tips[k]), ...cells.map((cell, n) => this.cell([k, n], cell))),
    );
    const [thead, tbody] = [document.createElement("thead"), document.createElement("tbody")];
    thead.append(head);
    tbody.append(...rows);
    this.table.replaceChildren(thead, tbody);
    this.at = this.at.map((place) => Math.min(place, this.count - 1));
    this.reach(this.at);
  }

  head(scope, at, name, tip) {
    const head = document.createElement("th");
    head.scope = scope;
    head.append(this.button(at, name, tip));
    return head;
  }

  cell(at, [text, tip, part]) {
    const cell = element("td", at[0] === at[1] ? "right" : "");
    // small parts of errors have to be seen, too
    cell.style.setProperty("--heat", at[0] === at[1] ? 46 * part : Math.min(58, 92 * Math.sqrt(part)));
    cell.append(this.button(at, text, tip));
    return cell;
  }

  button(at, text, tip) {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1;
    button.append(textOf("span", text));
    button.setAttribute("aria-label", tip);
    button.at = at;
    this.buttons.set(String(at), button);
    return button;
  }

  // A chosen class is its heading, a cell is a cell; none is chosen for −1, −1.
  mark(chosen) {
    this.chosen = this.buttons.get(String(chosen)) ?? null;
    for (const button of this.buttons.values()) button.parentElement.setAttribute("aria-selected", button === this.chosen);
    if (!this.table.matches(":hover")) this.say({ target: this.chosen ?? this.table });
  }

  reach(at) {
    this.buttons.get(String(this.at))?.setAttribute("tabindex", "-1");
    this.at = at;
    this.buttons.get(String(at)).tabIndex = 0;
  }

  choose(event) {
    const button = event.target.closest("button");
    if (!button) return;
    this.reach(button.at);
    this.setTriggerValue("cell", button.at);
  }

  press(event) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -this.count], End: [0, this.count] };
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const within = (place) => Math.min(this.count - 1, Math.max(-1, place));
    const at = this.at.map((place, axis) => within(place + step[axis]));
    if (!this.buttons.has(String(at))) return; // the corner
    this.reach(at);
    this.buttons.get(String(at)).focus();
  }

  say({ target }) {
    this.tip.textContent = target.closest("button")?.getAttribute("aria-label") ?? "";
  }
}

function row(...cells) {
  const row = document.createElement("tr");
  row.append(...cells);
  return row;
}

function element(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}

function textOf(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
