// Writes the language into the page's html element; Streamlit's own page always says English.

export default function ({ data }) {
  document.documentElement.lang = data.tag;
}
