// A line at one x over all charts of the page, with the values of each beside it. It is drawn over Vega's
// charts, which stay as they are: where their axes lie is read from the drawing.

const crosshairs = new WeakMap(); // root → its Crosshair
const SVG = "http://www.w3.org/2000/svg";
const MOST_STEPS = 60; // of the keyboard, from one end to the other, where the axis has no whole numbers

export default function ({ data, parentElement }) {
  let crosshair = crosshairs.get(parentElement);
  if (!crosshair) crosshairs.set(parentElement, (crosshair = new Crosshair(parentElement)));
  const run = ++crosshair.run;
  crosshair.show(data);
  return () => {
    if (crosshair.run !== run) return; // a later run has taken over
    crosshair.close();
    crosshairs.delete(parentElement);
  };
}

class Crosshair {
  constructor(root) {
    this.run = 0;
    this.root = root;
    this.ending = new AbortController();
    this.readout = made("div", "fx-readout");
    Object.assign(this.readout, { role: "slider", tabIndex: 0 });
    root.replaceChildren(this.readout);
    const listen = (target, act, handle, more = {}) =>
      target.addEventListener(act, handle, { signal: this.ending.signal, ...more });
    listen(document, "pointermove", (event) => this.point(event));
    listen(document, "pointerdown", (event) => this.point(event));
    listen(document, "scroll", () => this.follow(), { capture: true, passive: true });
    listen(document.documentElement, "pointerleave", (event) => event.pointerType !== "touch" && this.hide()); // a finger leaves once it is lifted
    listen(this.readout, "keydown", (event) => this.press(event));
    listen(this.readout, "blur", () => this.hide());
  }

  show(data) {
    const text = JSON.stringify(data);
    if (text === this.shown) return;
    this.shown = text;
    this.data = data;
    this.overlays?.forEach((overlay) => overlay.box.remove());
    this.overlays = Object.entries(data.charts).map(([name, chart]) => overlayOf(name, chart));
    this.root.append(...this.overlays.map((overlay) => overlay.box));
    this.readout.ariaLabel = data.label;
    [this.readout.ariaValueMin, this.readout.ariaValueMax] = data.ends;
    this.hide();
  }

  // The plot of a chart on the screen: what its axes enclose.
  plotOf(overlay) {
    const drawn = document.querySelector(`.st-key-crossed_${overlay.name} .role-frame.root path.background`);
    return drawn?.getBoundingClientRect();
  }

  point(event) {
    for (const overlay of this.overlays) {
      const plot = this.plotOf(overlay);
      if (!plot || !inside(plot, event) || !event.composedPath().some((each) => each.matches?.(`.st-key-crossed_${overlay.name}`)))
        continue;
      const [low, high] = this.data.ends;
      return this.move(nearest(overlay.chart, low + ((event.clientX - plot.left) / plot.width) * (high - low)));
    }
    if (document.activeElement !== this.readout) this.hide();
  }

  press(event) {
    const [low, high] = this.data.ends;
    const step = this.data.whole ? Math.max(1, Math.round((high - low) / MOST_STEPS)) : (high - low) / MOST_STEPS;
    const at = this.x ?? high + step;
    const to = { ArrowLeft: at - step, ArrowRight: (this.x ?? low - step) + step, Home: low, End: high }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.move(Math.min(Math.max(to, low), high));
  }

  // The page scrolls, perhaps because the slider got the focus: its position stays, one pointed at does not.
  follow() {
    if (this.x !== undefined && document.activeElement === this.readout) this.move(this.x);
    else this.hide();
  }

  move(x) {
    this.x = x;
    for (const overlay of this.overlays) this.draw(overlay);
    const values = this.overlays.flatMap(({ chart }) =>
      chart.lines.map((line) => `${[chart.title, line.row, line.column].filter(Boolean).join(", ")}: ${valueAt(line, indexAt(chart, line, x))}`),
    );
    this.readout.ariaValueNow = x;
    this.readout.ariaValueText = [`${this.data.title} ${number(x)}`, ...values].join("; ");
    this.readout.textContent = `${this.data.title} ${number(x)}`;
  }

  draw({ box, line, dots, tip, chart, name }) {
    const plot = this.plotOf({ name });
    box.hidden = !plot;
    if (!plot) return;
    const [low, high] = this.data.ends;
    const left = ((this.x - low) / (high - low)) * plot.width;
    Object.assign(box.style, px({ left: plot.left, top: plot.top, width: plot.width, height: plot.height }));
    line.style.left = `${left}px`;
    const texts = chart.lines.map((each, n) => {
      const index = indexAt(chart, each, this.x);
      const y = index < 0 ? null : each.y[index];
      dots[n].hidden = y === null;
      if (y !== null) {
        const across = chart.steps ? left : ((each.x[index] - low) / (high - low)) * plot.width;
        Object.assign(dots[n].style, px({ left: across, top: (1 - heightOf(chart, y)) * plot.height }));
      }
      return valueAt(each, index);
    });
    fill(tip, chart.lines, texts, `${this.data.title} ${number(readAt(chart, this.x))}`);
    Object.assign(tip.style, px(this.placeOf(tip, name, plot, left)));
  }

  // Where the values of a chart stand, within its plot: beside the line; where they would hide the curves, below the x-axis.
  placeOf({ offsetWidth: width, offsetHeight: height }, name, plot, left) {
    if (width <= 0.6 * plot.width && height < plot.height)
      return { left: plot.left + left + width + 16 < innerWidth ? left + 8 : left - width - 8, top: 4 };
    const parts = [...document.querySelectorAll(`.st-key-crossed_${name} .role-axis`)].map((axis) => axis.getBoundingClientRect());
    const below = Math.min(Math.max(plot.bottom, ...parts.map(({ bottom }) => bottom)) + 6, innerHeight - height - 8);
    const first = Math.min(plot.left, ...parts.map((part) => part.left), innerWidth - width - 8);
    return { left: first - plot.left, top: below - plot.top };
  }

  hide() {
    this.x = undefined;
    this.overlays?.forEach((overlay) => (overlay.box.hidden = true));
    this.readout.textContent = this.data?.hint ?? "";
    this.readout.ariaValueNow = this.data?.ends[0] ?? 0;
    this.readout.ariaValueText = "";
  }

  close() {
    this.ending.abort();
    this.root.replaceChildren();
  }
}

function overlayOf(name, chart) {
  const box = made("div", "fx-crosshair");
  const [line, tip] = [made("i", "line"), made("dl", "fx-tip")];
  const dots = chart.lines.map(({ color }) => {
    const dot = made("i", "dot");
    dot.style.background = color;
    return dot;
  });
  box.ariaHidden = "true"; // the line of text says it
  box.append(line, ...dots, tip);
  return { name, chart, box, line, dots, tip };
}

// One row for each run, or for each kind of images of the only one; the values of several kinds side by side.
function fill(tip, lines, texts, heading) {
  const [rows, columns] = ["row", "column"].map((part) => [...new Set(lines.map((line) => line[part]))]);
  const cells = rows.flatMap((row) => {
    const own = columns.map((column) => lines.findIndex((line) => line.row === row && line.column === column));
    const name = made("dt");
    name.append(swatchOf(lines[own.find((n) => n >= 0)], columns.length > 1), row);
    return [name, ...own.map((n) => made("dd", "", texts[n] ?? ""))];
  });
  const heads = columns.map((column) => made("dd"));
  columns.forEach((column, n) => column && heads[n].append(swatchOf({ ...lines.find((line) => line.column === column), color: "currentColor" }), column));
  tip.style.gridTemplateColumns = `auto repeat(${columns.length}, max-content)`;
  tip.replaceChildren(made("dt", "", heading), ...heads, ...cells);
}

function swatchOf(line, solid = false) {
  const [swatch, stroke] = ["svg", "path"].map((tag) => document.createElementNS(SVG, tag));
  swatch.setAttribute("viewBox", "0 0 16 4");
  const look = { d: "M0 2H16", stroke: line.color, "stroke-width": 2, "stroke-dasharray": line.dashed && !solid ? "5 3" : "none" };
  for (const [key, text] of Object.entries(look)) stroke.setAttribute(key, text);
  swatch.append(stroke);
  return swatch;
}

// The x of the values that a chart shows at x: accuracies are those of a whole epoch, wherever the pointer is.
function readAt(chart, x) {
  if (chart.steps) return x;
  const read = chart.lines.map((line) => line.x[indexAt(chart, line, x)]).filter((each) => each !== undefined);
  return read.length ? nearest({ lines: [{ x: read }] }, x) : x;
}

const valueAt = (line, index) => (index < 0 ? "–" : (line.texts[index] ?? number(line.y[index])));

// The value of a line at x: the nearest, or of one drawn in steps the last that has begun. None beyond its ends.
function indexAt(chart, line, x) {
  const [first, last] = [line.x[0], line.x.at(-1)];
  const reach = (0.5 * (last - first)) / Math.max(line.x.length - 1, 1) + 1e-9;
  if (!line.x.length || x > last + reach || (!chart.steps && x < first - reach)) return -1;
  let best = -1;
  for (let n = 0; n < line.x.length; n++) {
    if (line.y[n] === null) continue;
    if (chart.steps && line.x[n] > x + 1e-9) break;
    if (best < 0 || chart.steps || Math.abs(line.x[n] - x) < Math.abs(line.x[best] - x)) best = n;
  }
  return best < 0 ? 0 : best;
}

// The x of a chart's own values that is nearest to where the pointer is.
function nearest(chart, x) {
  const every = chart.lines.flatMap((line) => line.x);
  return every.reduce((best, each) => (Math.abs(each - x) < Math.abs(best - x) ? each : best), every[0] ?? x);
}

function heightOf({ y: [low, high], log }, value) {
  return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

const inside = (box, { clientX: x, clientY: y }) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
const px = (sizes) => Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, `${size}px`]));
const number = (value) => (value === null ? "–" : String(Number(value.toPrecision(4))).replace("-", "−"));

function made(tag, name = "", text = "") {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}
