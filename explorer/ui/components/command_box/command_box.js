// Draws a command word by word, none of them broken unless it is too long for a line, and copies it.

const SHOWN = 1500; // ms that the button says it has copied

export default function ({ data, parentElement }) {
  const code = parentElement.querySelector("code");
  const button = parentElement.querySelector("button");
  code.replaceChildren(...data.text.split(/(\s+)/).map((part, index) => (index % 2 ? part : word(part))));
  button.textContent = data.copy;
  button.onclick = async () => {
    if (!(await copied(data.text, code))) return;
    button.textContent = data.copied;
    setTimeout(() => (button.textContent = data.copy), SHOWN);
  };
}

function word(text) {
  const part = document.createElement("span");
  part.className = "word";
  part.textContent = text;
  return part;
}

// The clipboard is there for safe addresses only; from others the text is left selected, to be copied by hand.
async function copied(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}
