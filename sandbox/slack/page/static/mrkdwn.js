// Renders Slack's mrkdwn as DOM nodes. https://docs.slack.dev/messaging/formatting-message-text
import { h, localTime, nearbyDay, safeUrl } from "./dom.js";
import { EMOJI } from "./emoji.js";

// Formatting starts and ends at word boundaries; words consist of ASCII letters and digits.
const span = (mark) => `(?<![A-Za-z0-9])\\${mark}(?=\\S)((?:(?!\\${mark})[^\\n])*[^\\s\\${mark}])\\${mark}(?![A-Za-z0-9])`;
const TOKEN = new RegExp(
  ["```([\\s\\S]+?)```", "`([^`\\n]+)`", "<([^<>\\n]+)>", ":([a-z0-9_+'-]+)(?:::skin-tone-\\d)?:", span("*"), span("_"), span("~")].join("|"),
);
const BARE_URL = /https?:\/\/[^\s<>|]+[^\s<>|.,;:!?)]/;
const BROADCASTS = { channel: "@channel", here: "@here", everyone: "@everyone" };

/** The nodes of a text object. `names` returns the name for the id of a person or channel. */
export function textObject(object, names) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text, names, { verbatim: object.verbatim });
  return lines(object.emoji === false ? [decode(object.text)] : emojis(decode(object.text)));
}

/** The nodes of a text: quoted lines become blockquotes, the rest is formatted inline. */
export function mrkdwn(text, names, options = {}) {
  const nodes = [];
  let quote = [];
  const flush = () => {
    if (quote.length) nodes.push(h("blockquote", {}, lines(inline(quote.join("\n"), names, options))));
    quote = [];
  };
  const parts = text.split(/(```[\s\S]+?```)/);
  for (const part of parts) {
    if (part.startsWith("```") && part.length > 6) {
      flush();
      nodes.push(...inline(part, names, options));
      continue;
    }
    const rest = [];
    for (const line of part.split("\n")) {
      const quoted = line.match(/^(?:&gt;|>)\s?(.*)$/);
      if (quoted) {
        if (rest.length) nodes.push(...lines(inline(rest.splice(0).join("\n"), names, options)));
        quote.push(quoted[1]);
      } else {
        flush();
        rest.push(line);
      }
    }
    flush();
    if (rest.length) nodes.push(...lines(inline(rest.join("\n"), names, options)));
  }
  return nodes;
}

function inline(text, names, options) {
  const nodes = [];
  for (let rest = text; rest; ) {
    const match = rest.match(TOKEN);
    const bare = options.verbatim ? null : rest.match(BARE_URL);
    if (bare && (!match || bare.index < match.index)) {
      nodes.push(decode(rest.slice(0, bare.index)), anchor(decode(bare[0]), [decode(bare[0])]));
      rest = rest.slice(bare.index + bare[0].length);
      continue;
    }
    if (!match) {
      nodes.push(decode(rest));
      break;
    }
    nodes.push(decode(rest.slice(0, match.index)), token(match, names, options));
    rest = rest.slice(match.index + match[0].length);
  }
  return nodes;
}

function token([whole, block, code, angle, emoji, bold, italic, strike], names, options) {
  if (block !== undefined) return h("pre", {}, h("code", {}, decode(block.replace(/^\n|\n$/g, ""))));
  if (code !== undefined) return h("code", {}, decode(code));
  if (angle !== undefined) return bracketed(angle, names);
  if (emoji !== undefined) return emojiNode(emoji, whole);
  if (bold !== undefined) return h("strong", {}, inline(bold, names, options));
  if (italic !== undefined) return h("em", {}, inline(italic, names, options));
  return h("s", {}, inline(strike, names, options));
}

/** The content of angle brackets: a mention, channel, date or link. */
function bracketed(inside, names) {
  const [target, ...labels] = inside.split("|");
  const label = labels.length ? decode(labels.join("|")) : "";
  if (target.startsWith("@")) return mention(`@${names(target.slice(1)) || label || target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${names(target.slice(1)) || label || target.slice(1)}`);
  if (target.startsWith("!date^")) return date(target, label);
  if (target.startsWith("!subteam^")) return mention(label || "@group");
  if (target.startsWith("!")) return mention(BROADCASTS[target.slice(1)] || label || target);
  return anchor(decode(target), emojis(label || decode(target).replace(/^mailto:/, "")));
}

function date(target, fallback) {
  const [, seconds, format = "{date}"] = target.split("^");
  const moment = new Date(Number(seconds) * 1000);
  if (Number.isNaN(moment.getTime())) return fallback;
  const styles = {
    date: { dateStyle: "long" }, date_short: { dateStyle: "medium" }, date_long: { dateStyle: "full" },
    date_pretty: { dateStyle: "long" }, date_short_pretty: { dateStyle: "medium" }, date_long_pretty: { dateStyle: "full" },
    date_num: { dateStyle: "short" }, time: { timeStyle: "short" }, time_secs: { timeStyle: "medium" },
  };
  const shown = (name) => (name.endsWith("_pretty") && nearbyDay(moment)) || localTime(moment, styles[name]);
  const text = format.replace(/\{(\w+)\}/g, (whole, name) => (styles[name] ? shown(name) : whole));
  return h("time", { datetime: moment.toISOString(), title: localTime(moment) }, decode(text));
}

const mention = (text) => h("span", { class: "mention" }, text);

export function anchor(url, children) {
  const href = safeUrl(url);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, children) : h("span", {}, children);
}

export function emojiNode(name, whole = `:${name}:`) {
  return EMOJI[name] ? h("span", { role: "img", "aria-label": name, title: whole }, EMOJI[name]) : whole;
}

/** The text with its emoji codes replaced by emoji. */
function emojis(text) {
  return text.split(/(:[a-z0-9_+'-]+:)/).map((part) => {
    const code = part.match(/^:([a-z0-9_+'-]+):$/);
    return code ? emojiNode(code[1]) : part;
  });
}

/** The nodes with line feeds replaced by <br>. */
export function lines(nodes) {
  return nodes.flatMap((node) =>
    typeof node === "string" ? node.split("\n").flatMap((line, at) => (at ? [h("br"), line] : [line])) : [node],
  );
}

/** Decodes the three entities that Slack uses, and no others. */
export function decode(text) {
  return text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
}
