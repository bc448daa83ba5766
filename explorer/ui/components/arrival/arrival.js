// Keeps a place in sight while the page above it still grows, until the visitor does something.

const TIMES = 40, PAUSE = 50; // milliseconds between two looks

export default function ({ data }) {
  const ending = new AbortController();
  const stop = () => (clearInterval(timer), ending.abort());
  let left = TIMES;
  const timer = setInterval(() => {
    const place = document.querySelector(`.st-key-${data.place}`);
    if (place) {
      place.style.scrollMarginTop = "5rem"; // below the menu
      place.scrollIntoView({ block: "start" });
    }
    if (!--left) stop();
  }, PAUSE);
  for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) window.addEventListener(kind, stop, { signal: ending.signal, passive: true });
}
