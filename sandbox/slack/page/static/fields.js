// Renders the interactive elements of Block Kit as native controls, which work with keyboards and screen readers.
// https://docs.slack.dev/reference/block-kit/block-elements
import { h, safeUrl } from "./dom.js";
import { decode, textObject } from "./mrkdwn.js";

const MULTI = /^multi_|^checkboxes$/;

/** The value of an element: what was entered on this page, else what Slack stored, else the initial value. */
export function currentValue(element, block, surface) {
  const entered = surface.entered?.[block.block_id]?.[element.action_id];
  if (entered !== undefined) return entered;
  const state = surface.values?.[block.block_id]?.[element.action_id];
  return state ? raw(state) : initial(element);
}

function raw(state) {
  const [value = null] = Object.entries(state).filter(([name]) => name !== "type").map(([, content]) => content);
  if (Array.isArray(value)) return value.map((item) => item?.value ?? item);
  return value?.value ?? value;
}

function initial(element) {
  const [, value] = Object.entries(element).find(([name]) => name.startsWith("initial_")) || [];
  return value === undefined ? (MULTI.test(element.type) ? [] : null) : raw({ value });
}

/** The control for `element`. `change(value, {typing, enter})` is called with each new value. */
export function field(element, value, surface, change, label = {}) {
  const make = FIELDS[element.type];
  if (!make) return h("span", { class: "unsupported" }, `(${element.type} is not supported in the sandbox)`);
  return make(element, value, surface, change, label);
}

const plain = (object) => (object ? decode(object.text) : "");

const FIELDS = {
  static_select: (element, ...rest) => select(options(element), element, ...rest),
  users_select: (element, value, surface, ...rest) => select(users(surface), element, value, surface, ...rest),
  conversations_select: (element, value, surface, ...rest) =>
    select(conversations(element, surface), element, value, surface, ...rest),
  channels_select: (element, value, surface, ...rest) =>
    select(conversations({ filter: { include: ["public"] } }, surface), element, value, surface, ...rest),
  multi_static_select: (element, ...rest) => several(options(element).flatMap((group) => group.options ?? group), element, ...rest),
  multi_users_select: (element, value, surface, ...rest) => several(users(surface), element, value, surface, ...rest),
  multi_conversations_select: (element, value, surface, ...rest) =>
    several(conversations(element, surface), element, value, surface, ...rest),
  multi_channels_select: (element, value, surface, ...rest) =>
    several(conversations({ filter: { include: ["public"] } }, surface), element, value, surface, ...rest),
  radio_buttons: choices("radio"),
  checkboxes: choices("checkbox"),
  datepicker: typed("date"),
  timepicker: typed("time"),
  number_input: typed("number"),
  email_text_input: typed("email"),
  url_text_input: typed("url"),
  plain_text_input: text,
  datetimepicker: moment,
};

function options(element) {
  const flat = (list) => list.map((option) => ({ value: option.value, text: plain(option.text) }));
  if (element.options) return flat(element.options);
  return (element.option_groups || []).map((group) => ({ label: plain(group.label), options: flat(group.options) }));
}

const users = (surface) => surface.people.filter((person) => !person.deleted).map((person) => ({ value: person.id, text: person.name }));

/** The conversations this person can see. https://docs.slack.dev/reference/block-kit/composition-objects/conversation-filter-object */
function conversations(element, surface) {
  const { include = ["public", "private", "im"], exclude_external_shared_channels: unshared } = element.filter || {};
  return surface.channels
    .filter((channel) => include.includes(channel.kind) && !channel.archived && !(unshared && channel.shared))
    .map((channel) => ({ value: channel.id, text: surface.names(channel.id, true) || channel.id }));
}

function select(groups, element, value, surface, change, label) {
  const all = groups.flatMap((group) => group.options ?? group);
  const option = ({ value: id, text: name }) => h("option", { value: id, selected: id === value }, name);
  const missing = value && !all.some((item) => item.value === value);
  const empty = plain(element.placeholder) || "Choose…";
  return h(
    "select",
    { ...label, onchange: (event) => change(event.target.value || null) },
    h("option", { value: "", selected: !value, disabled: !label.optional }, empty),
    missing && option({ value, text: surface.names(value, true) || value }),
    groups.map((group) => (group.options ? h("optgroup", { label: group.label }, group.options.map(option)) : option(group))),
  );
}

function several(all, element, value, surface, change, label) {
  const chosen = new Set(value || []);
  const names = () => all.filter((item) => chosen.has(item.value)).map((item) => item.text).join(", ");
  const summary = h("summary", label, names() || plain(element.placeholder) || "Choose…");
  const toggle = (id) => (event) => {
    event.target.checked ? chosen.add(id) : chosen.delete(id);
    summary.textContent = names() || plain(element.placeholder) || "Choose…";
    change([...chosen]);
  };
  const row = (item) =>
    h("label", { class: "choice" }, h("input", { type: "checkbox", checked: chosen.has(item.value), onchange: toggle(item.value) }), item.text);
  return h("details", { class: "several" }, summary, h("div", { class: "menu" }, all.map(row)));
}

function choices(type) {
  return (element, value, surface, change, label) => {
    const chosen = new Set([value].flat());
    const name = `${label["data-key"]}`;
    const pick = (id) => (event) => {
      if (type === "radio") return change(id);
      event.target.checked ? chosen.add(id) : chosen.delete(id);
      return change(element.options.map((option) => option.value).filter((id) => chosen.has(id)));
    };
    const row = (option) =>
      h(
        "label",
        { class: "choice" },
        h("input", { type, name, value: option.value, checked: chosen.has(option.value), "data-key": `${name}/${option.value}`, onchange: pick(option.value) }),
        h("span", {}, textObject(option.text, surface.names), option.description && h("small", {}, textObject(option.description, surface.names))),
      );
    const { "data-key": _key, ...rest } = label;
    return h("div", { class: "choices", role: type === "radio" ? "radiogroup" : "group", ...rest }, element.options.map(row));
  };
}

function typed(type) {
  return (element, value, surface, change, label) =>
    h("input", {
      type, ...label, value: value ?? "", placeholder: plain(element.placeholder) || null,
      min: element.min_value, max: element.max_value, step: element.is_decimal_allowed ? "any" : null,
      onchange: (event) => change(event.target.value || null),
      oninput: (event) => change(event.target.value || null, { typing: true }),
    });
}

function text(element, value, surface, change, label) {
  return h(element.multiline ? "textarea" : "input", {
    ...label, rows: element.multiline ? 4 : null, type: element.multiline ? null : "text", value: value ?? "",
    placeholder: plain(element.placeholder) || null, minlength: element.min_length, maxlength: element.max_length,
    oninput: (event) => change(event.target.value || null, { typing: true }),
    onkeydown: (event) => event.key === "Enter" && !element.multiline && change(event.target.value || null, { enter: true }),
  });
}

function moment(element, value, surface, change, label) {
  const local = value ? new Date(value * 1000 - new Date(value * 1000).getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "";
  const seconds = (entered) => (entered ? Math.floor(new Date(entered).getTime() / 1000) : null);
  return h("input", { type: "datetime-local", ...label, value: local, onchange: (event) => change(seconds(event.target.value)) });
}

/** A button, or a link styled as one. */
export function button(element, act, key) {
  const style = `button ${element.style || ""}`;
  const url = element.url && safeUrl(element.url);
  const label = { class: style, "data-key": key, "aria-label": element.accessibility_label, onclick: () => act(element.value ?? null) };
  const inside = textObject(element.text, () => null);
  if (url) return h("a", { ...label, href: url, target: "_blank", rel: "noopener noreferrer" }, inside);
  return h("button", { type: "button", ...label }, inside);
}

/** The overflow menu behind three dots. */
export function overflow(element, act, key) {
  const menu = h("details", { class: "overflow" });
  const choose = (option) => () => {
    menu.open = false;
    act(option.value);
  };
  const row = (option) => {
    const url = option.url && safeUrl(option.url);
    const tag = url ? "a" : "button";
    const link = url ? { href: url, target: "_blank", rel: "noopener noreferrer" } : { type: "button" };
    return h(tag, { ...link, onclick: choose(option) }, textObject(option.text, () => null), option.description && h("small", {}, plain(option.description)));
  };
  menu.append(h("summary", { class: "button", "aria-label": "More actions", "data-key": key }, "⋯"), h("div", { class: "menu" }, element.options.map(row)));
  return menu;
}
