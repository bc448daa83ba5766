// Pictures with lines of text, mostly buttons; a click reports the picture's number.

const grids = new WeakMap(); // root → its state

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = grids.get(parentElement) ?? { run: 0 };
  grids.set(parentElement, grid);
  const run = ++grid.run;
  grid.open = (number) => setTriggerValue("number", number);
  const text = JSON.stringify(data);
  if (text !== grid.shown) {
    grid.shown = text;
    const box = parentElement.querySelector(".pictures");
    box.style.setProperty("--side", `${data.side / 16}rem`);
    box.classList.toggle("cards", data.pictures.some((picture) => picture.title));
    const focused = box.getRootNode().activeElement?.number;
    box.replaceChildren(...data.pictures.map((picture) => (data.opens ? buttonOf(picture, data, grid) : cardOf(picture, data))));
    [...box.children].find((button) => button.number === focused)?.focus();
  }
  return () => {
    if (grid.run === run) grids.delete(parentElement);
  };
}

function buttonOf(picture, data, grid) {
  const button = document.createElement("button");
  button.type = "button";
  button.number = picture.number;
  button.title = picture.text;
  if (picture.alt) button.append(lineOf(picture.text, "unseen")); // then all that it says is its name
  else button.setAttribute("aria-label", picture.text);
  if (picture.number === data.chosen) {
    button.className = "chosen";
    button.setAttribute("aria-current", "true");
  }
  button.append(...partsOf(picture, data));
  button.addEventListener("click", () => grid.open(picture.number));
  return button;
}

function cardOf(picture, data) {
  const card = document.createElement("figure");
  card.append(...partsOf(picture, data));
  return card;
}

function partsOf({ address, alt, title, lines }, data) {
  const picture = document.createElement("img");
  picture.alt = alt;
  if (address) picture.src = address; // else an empty place of the same size
  picture.addEventListener("load", () => picture.classList.toggle("crisp", picture.naturalWidth <= data.crisp), { once: true });
  const below = lines.map((line) => (line.strong ? lineOf(line.strong, "strong") : typeof line === "string" ? lineOf(line) : barOf(line)));
  return title ? [picture, titleOf(title), ...below] : [picture, ...below];
}

// A title breaks behind its arrow before it breaks within a name: “airplane 飞机 → / ship 船”.
function titleOf(text) {
  const line = lineOf("", "title");
  for (const part of text.split(/(?<=→) /)) {
    const name = document.createElement("b");
    name.textContent = part;
    line.append(...(line.firstChild ? [" ", name] : [name]));
  }
  return line;
}

function lineOf(text, kind = "") {
  const line = document.createElement("span");
  line.className = kind;
  line.textContent = text;
  return line;
}

function barOf({ fraction, kind }) {
  const bar = document.createElement("span");
  bar.className = ["bar", fraction < 0 ? "against" : "", kind].join(" ");
  const length = document.createElement("i");
  length.style.width = `${(Math.abs(fraction) * 100).toFixed(1)}%`;
  bar.append(length);
  return bar;
}
