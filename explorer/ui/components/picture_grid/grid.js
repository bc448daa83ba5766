// Pictures that are buttons; a click reports the picture's number.

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
    const focused = box.getRootNode().activeElement?.number;
    box.replaceChildren(...data.pictures.map((picture) => buttonOf(picture, data.chosen, grid)));
    [...box.children].find((button) => button.number === focused)?.focus();
  }
  return () => {
    if (grid.run === run) grids.delete(parentElement);
  };
}

function buttonOf({ number, address, line, text }, chosen, grid) {
  const button = document.createElement("button");
  button.type = "button";
  button.number = number;
  button.title = text;
  button.setAttribute("aria-label", text);
  if (number === chosen) {
    button.className = "chosen";
    button.setAttribute("aria-current", "true");
  }
  const picture = document.createElement("img");
  picture.alt = "";
  if (address) picture.src = address; // else an empty place of the same size
  picture.addEventListener("load", () => picture.classList.toggle("crisp", picture.naturalWidth <= 64), { once: true });
  const below = document.createElement("span");
  below.textContent = line;
  button.append(picture, below);
  button.addEventListener("click", () => grid.open(number));
  return button;
}
