// Puts a chart on the page as the server drew it, and shows beside the pointer what a column of it says.

const charts = new WeakMap(); // root → its Chart

export default function ({ data, parentElement, setTriggerValue }) {
  let chart = charts.get(parentElement);
  if (!chart) charts.set(parentElement, (chart = new Chart(parentElement)));
  const run = ++chart.run;
  chart.setTriggerValue = setTriggerValue;
  chart.show(data);
  return () => {
    if (chart.run !== run) return; // a later run has taken over
    chart.ending.abort();
    charts.delete(parentElement);
    parentElement.replaceChildren();
  };
}

class Chart {
  constructor(root) {
    this.run = 0;
    this.root = root;
    this.ending = new AbortController();
    this.tip = document.createElement("dl");
    this.tip.className = "fx-tip";
    this.tip.popover = "manual";
    const listen = (act, handle) => root.addEventListener(act, handle, { signal: this.ending.signal });
    listen("pointermove", (event) => this.point(event));
    listen("pointerleave", () => this.leave());
    listen("click", (event) => this.choose(event));
  }

  show(data) {
    const text = JSON.stringify(data);
    if (text === this.shown) return;
    this.shown = text;
    this.data = data;
    const drawn = new DOMParser().parseFromString(data.xhtml, "application/xhtml+xml").documentElement;
    this.root.replaceChildren(document.importNode(drawn, true), this.tip);
    this.plot = this.root.querySelector(".plot");
    this.plot.classList.toggle("chooses", data.chooses);
    this.hovered = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    this.hovered.setAttribute("class", "hovered");
    this.leave();
  }

  indexAt({ clientX, clientY }) {
    const box = this.plot.getBoundingClientRect();
    if (clientY < box.top || clientY > box.bottom) return -1;
    const at = (clientX - box.left) / box.width;
    return this.data.columns.findIndex(([start, end]) => start <= at && at < end);
  }

  point(event) {
    const index = this.indexAt(event);
    if (index < 0) return this.leave();
    const [start, end, values] = this.data.columns[index];
    const marks = this.plot.querySelector(".marks");
    for (const [name, value] of Object.entries({ x: 1000 * start, width: 1000 * (end - start), height: 1000 }))
      this.hovered.setAttribute(name, value);
    marks.prepend(this.hovered);
    this.tip.replaceChildren(
      ...this.data.titles.flatMap((title, n) => [textOf("dt", title), textOf("dd", values[n])]),
    );
    this.tip.showPopover();
    const { width, height } = this.tip.getBoundingClientRect();
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
    const top = Math.min(event.clientY + 14, innerHeight - height - 4);
    Object.assign(this.tip.style, { left: `${Math.max(4, left)}px`, top: `${top}px` });
  }

  leave() {
    this.hovered?.remove();
    if (this.tip.matches(":popover-open")) this.tip.hidePopover();
  }

  choose(event) {
    const index = this.data.chooses ? this.indexAt(event) : -1;
    if (index >= 0) this.setTriggerValue("column", index);
  }
}

function textOf(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
