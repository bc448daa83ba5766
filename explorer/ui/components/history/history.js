// What changes the address after a page was opened, before the visitor has done anything there, belongs to
// the entry that opened it: it replaces that entry, and makes none of its own.

let opened = true; // nothing was done since the page was opened
let patched = false;

export default function () {
  if (patched) return;
  patched = true;
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const moved = new URL(url ?? "", location.href).pathname !== location.pathname;
    if (opened) history.replaceState(state, title, url);
    else push(state, title, url);
    opened ||= moved;
  };
  for (const act of ["pointerdown", "keydown", "click", "input", "popstate"])
    addEventListener(act, () => (opened = false), { capture: true });
}
