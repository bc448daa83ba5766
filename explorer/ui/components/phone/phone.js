// Presses the sidebar's own button where the sidebar lies over the page and something else was chosen in it.

const NARROW = "(max-width: 767.98px)"; // where Streamlit lays the sidebar over the page
let last = null;

export default function ({ data }) {
  const other = last !== null && data.shown !== last.shown && data.source === last.source;
  const chosen = other && data.shown !== ""; // an upload that is taken away is still to be chosen
  last = data;
  if (chosen && matchMedia(NARROW).matches)
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
}
