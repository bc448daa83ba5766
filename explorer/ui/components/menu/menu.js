// Marks the menu's section that the page in sight belongs to; the style sheet shows its name beside it.

export default function ({ data }) {
  for (const button of document.querySelectorAll('[data-testid="stTopNavSection"]')) {
    const here = data.section !== "" && button.textContent.trim() === data.section;
    if (here) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
    button.querySelector("p").dataset.page = data.page;
  }
}
