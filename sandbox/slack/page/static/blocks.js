// Renders Block Kit as DOM nodes. https://docs.slack.dev/reference/block-kit/blocks
//
// A surface is the message or view with the blocks:
// {names, people, channels, values, entered, errors, ask(confirm), act(block, element, value), redraw()}.
import { h, localTime, safeUrl } from "./dom.js";
import { button, currentValue, field, overflow } from "./fields.js";
import { anchor, decode, emojiNode, lines, mrkdwn, textObject } from "./mrkdwn.js";

export function renderBlocks(blocks, surface) {
  return blocks.map((block) => {
    const render = BLOCKS[block.type];
    return h("div", { class: `block ${block.type}` }, render ? render(block, surface) : note(`(${block.type} blocks are not supported in the sandbox)`));
  });
}

const note = (text) => h("span", { class: "unsupported" }, text);

const BLOCKS = {
  header: (block, { names }) => h("h3", {}, textObject(block.text, names)),
  divider: () => h("hr"),
  section: (block, surface) => [
    h(
      "div",
      { class: "section-text" },
      block.text && h("div", {}, textObject(block.text, surface.names)),
      block.fields && h("div", { class: "fields" }, block.fields.map((text) => h("div", {}, textObject(text, surface.names)))),
    ),
    block.accessory && h("div", { class: "accessory" }, element(block, block.accessory, surface)),
  ],
  context: (block, { names }) => block.elements.map((part) => (part.type === "image" ? image(part) : h("span", {}, textObject(part, names)))),
  actions: (block, surface) => block.elements.map((part) => element(block, part, surface)),
  image: (block, { names }) => [block.title && h("div", { class: "hint" }, textObject(block.title, names)), image(block)],
  input: inputBlock,
  rich_text: (block, surface) => block.elements.map((part) => richText(part, surface)),
  markdown: (block, { names }) => mrkdwn(block.text.replace(/\*\*(.+?)\*\*/g, "*$1*"), names),
  alert: (block, { names }) => h("div", { class: `alert ${block.level || ""}`, role: "note" }, textObject(block.text, names)),
  card: (block, surface) => [
    block.title && h("div", { class: "card-title" }, textObject(block.title, surface.names)),
    block.subtitle && h("div", { class: "hint" }, textObject(block.subtitle, surface.names)),
    block.body && h("div", {}, textObject(block.body, surface.names)),
    block.actions && h("div", { class: "actions" }, block.actions.map((part) => element(block, part, surface))),
  ],
  table,
  data_table: table,
};

function table(block, surface) {
  const rows = block.rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, tableCell(cell, surface)))));
  return h("table", {}, block.caption && h("caption", {}, block.caption), rows);
}

const tableCell = (cell, surface) => (cell.type === "rich_text" ? cell.elements.map((part) => richText(part, surface)) : decode(cell.text ?? ""));

function image(part) {
  const src = safeUrl(part.image_url);
  return src ? h("img", { src, alt: part.alt_text, loading: "lazy" }) : h("span", { class: "unsupported" }, decode(part.alt_text || "image"));
}

/** An element outside an input block: using it notifies the app immediately. */
function element(block, part, surface) {
  const key = `${block.block_id}/${part.action_id}`;
  const act = async (value) => {
    if (!part.confirm || (await surface.ask(part.confirm))) surface.act(block, part, value);
    else surface.redraw();
  };
  if (part.type === "image") return image(part);
  if (part.type === "button" || part.type === "workflow_button") return button(part, act, key);
  if (part.type === "overflow") return overflow(part, act, key);
  const change = (value, { typing } = {}) => typing || act(value);
  const name = part.placeholder ? decode(part.placeholder.text) : part.action_id;
  return field(part, currentValue(part, block, surface), surface, change, { "data-key": key, "aria-label": name });
}

function inputBlock(block, surface) {
  const part = block.element;
  const key = `${block.block_id}/${part.action_id}`;
  const id = `field-${key}`;
  const error = surface.errors?.[block.block_id];
  const change = (value, { typing, enter } = {}) => {
    (surface.entered[block.block_id] ??= {})[part.action_id] = value;
    const triggers = part.dispatch_action_config?.trigger_actions_on || ["on_enter_pressed"];
    const now = typing ? triggers.includes("on_character_entered") : !enter || triggers.includes("on_enter_pressed");
    if (block.dispatch_action && now) surface.act(block, part, value);
  };
  const label = {
    id, "data-key": key, optional: block.optional || null, "aria-invalid": error ? "true" : null,
    "aria-describedby": error ? `${id}-error` : null, autofocus: part.focus_on_load || null,
  };
  return [
    h("label", { for: id }, textObject(block.label, surface.names), block.optional && h("span", { class: "hint" }, " (optional)")),
    field(part, currentValue(part, block, surface), surface, change, label),
    error && h("div", { class: "error", id: `${id}-error`, role: "alert" }, error),
    block.hint && h("div", { class: "hint" }, textObject(block.hint, surface.names)),
  ];
}

function richText(part, surface) {
  const children = () =>
    (part.elements || []).map((child) => (child.type.startsWith("rich_text_") ? richText(child, surface) : richSpan(child, surface)));
  if (part.type === "rich_text_list") {
    const items = part.elements.map((child) => h("li", {}, richText(child, surface)));
    return h(part.style === "ordered" ? "ol" : "ul", { class: `indent-${part.indent || 0}` }, items);
  }
  if (part.type === "rich_text_quote") return h("blockquote", {}, children());
  if (part.type === "rich_text_preformatted") return h("pre", {}, children());
  return h("div", {}, children());
}

function richSpan(part, { names }) {
  const spans = {
    text: () => lines([part.text]),
    link: () => [anchor(part.url, [part.text || part.url])],
    emoji: () => [emojiNode(part.name)],
    user: () => [h("span", { class: "mention" }, `@${names(part.user_id) || part.user_id}`)],
    channel: () => [h("span", { class: "mention" }, `#${names(part.channel_id) || part.channel_id}`)],
    usergroup: () => [h("span", { class: "mention" }, "@group")],
    broadcast: () => [h("span", { class: "mention" }, `@${part.range}`)],
    date: () => [part.fallback || localTime(new Date(part.timestamp * 1000))],
  };
  const nodes = spans[part.type] ? spans[part.type]() : [note(`(${part.type})`)];
  const tags = { bold: "strong", italic: "em", strike: "s", code: "code" };
  return Object.entries(tags).reduce((inner, [style, tag]) => (part.style?.[style] ? [h(tag, {}, inner)] : inner), nodes);
}
