// Builds DOM nodes. Text only ever becomes text: nothing in this page is parsed as HTML.

/** An element; props starting with "on" are listeners, null and false props and children are left out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected" || name === "disabled") node[name] = value;
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An address that may be opened from here, or null. */
export function safeUrl(url) {
  try {
    return ["http:", "https:", "mailto:"].includes(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}

/** A picture of a person: initials on a colour that is theirs. */
export function avatar(name, seed, extra = "") {
  const initials = [...name.matchAll(/(?:^|\s)(\p{L})/gu)].map((found) => found[1]);
  const letters = (initials.length > 1 ? initials[0] + initials.at(-1) : initials[0] || "?").toUpperCase();
  const hue = [...seed].reduce((sum, char) => (sum * 31 + char.codePointAt(0) * 137) % 360, 7);
  const node = h("span", { class: `avatar ${extra}`, "aria-hidden": "true" }, letters);
  node.style.setProperty("--hue", hue);
  return node;
}
