// Helpers that build DOM nodes. Text is never parsed as HTML.

/** An element. Props starting with "on" are event listeners; null, undefined and false are left out. */
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

/** The moment as text, in the time zone of the signed-in person, as in Slack. */
export function localTime(moment, style = { dateStyle: "long", timeStyle: "short" }) {
  return moment.toLocaleString(undefined, { ...style, timeZone: document.documentElement.dataset.timeZone });
}

/** "yesterday", "today", "tomorrow", or null for other days. */
export function nearbyDay(moment) {
  const { timeZone } = document.documentElement.dataset;
  const day = (time) => Date.parse(time.toLocaleDateString("sv-SE", { timeZone })) / 86_400_000; // sv-SE: 2026-11-28
  const days = day(moment) - day(new Date());
  return Math.abs(days) > 1 ? null : new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(days, "day");
}

/** The URL if it is safe to open, otherwise null. */
export function safeUrl(url) {
  try {
    return ["http:", "https:", "mailto:"].includes(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}

/** An avatar with initials, in a color derived from `seed`. */
export function avatar(name, seed, extra = "") {
  const initials = [...name.matchAll(/(?:^|\s)(\p{L})/gu)].map((match) => match[1]);
  const letters = (initials.length > 1 ? initials[0] + initials.at(-1) : initials[0] || "?").toUpperCase();
  const hue = [...seed].reduce((sum, char) => (sum * 31 + char.codePointAt(0) * 137) % 360, 7);
  const node = h("span", { class: `avatar ${extra}`, "aria-hidden": "true" }, letters);
  node.style.setProperty("--hue", hue);
  return node;
}
