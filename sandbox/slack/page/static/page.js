// The page as a whole: who one is, what is open, what the sandbox says, and what is done about it.
import { h } from "./dom.js";
import { renderBlocks } from "./blocks.js";
import { chooser } from "./chooser.js";
import { messageNodes } from "./message.js";
import { ask, modalForm } from "./modal.js";
import { sidebar } from "./sidebar.js";

const EVERY = 700; // milliseconds between two looks at the sandbox
const byId = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const here = { user: query.get("user"), channel: query.get("channel"), tab: query.get("tab"), ts: query.get("ts") };
let state = null; // what the sandbox said last
let drawn = {}; // what each region was drawn from, to leave alone what did not change
let entered = {}; // by view: what stands in its fields and was not sent yet
let refused = {}; // of the open modal: {errors, problem}
let menuOpen = false;

// ---- what the sandbox says

async function refresh() {
  if (!here.user) {
    const { people } = await (await fetch("/page/people")).json();
    return here.user ? undefined : drawChooser(people);
  }
  const asked = new URLSearchParams({ user: here.user });
  if (here.channel) asked.set("channel", here.channel);
  if (state && state.me === here.user && state.open === here.channel) asked.set("version", state.version);
  const response = await fetch(`/page/state?${asked}`);
  if (response.status === 404) return void be(null);
  if (response.status === 200 && asked.get("user") === here.user && (asked.get("channel") ?? null) === here.channel) {
    state = await response.json();
    draw();
  }
}

/** Do something as this person, show what went wrong, and look again. */
async function deed(name, details) {
  const body = JSON.stringify({ user: here.user, ...details });
  let answer = { problem: "The sandbox does not answer." };
  try {
    const response = await fetch(`/page/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (response.ok) answer = await response.json();
  } catch {
    // told below
  }
  if (answer.problem && name !== "submit") toast(answer.problem);
  await look();
  return answer;
}

let looking = null;
async function look() {
  if (looking) await looking; // it may have asked before what we want to see happened
  looking ??= refresh()
    .catch(() => toast("The sandbox does not answer."))
    .finally(() => (looking = null));
  return looking;
}

/** Say something for a while, above everything else, an open modal too. */
function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidePopover();
  box.showPopover();
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.hidePopover(), 6000);
}

// ---- where one is

function remember() {
  const place = Object.entries(here).filter(([name, value]) => value && name !== "ts");
  history.replaceState(null, "", `/?${new URLSearchParams(place)}`);
}

function be(user, unread = 0) {
  if (!user && (here.tab || openPlace()?.kind === "im")) Object.assign(here, { channel: null, tab: here.tab || "messages" });
  Object.assign(here, { user, ts: user ? here.ts : null });
  [state, drawn, entered, refused, menuOpen] = [null, {}, {}, {}, false];
  if (byId("modal").open) byId("modal").close();
  if (user && !here.channel) here.tab = unread ? "messages" : here.tab || "home";
  remember();
  if (user && here.tab) openApp(here.tab);
  return look();
}

function openChannel(id) {
  Object.assign(here, { channel: id, tab: null, ts: null });
  menuOpen = false;
  remember();
  return look();
}

async function openApp(tab) {
  Object.assign(here, { tab, channel: tab === "home" ? null : appChannel()?.id ?? null, ts: null });
  menuOpen = false;
  remember();
  if (state) draw();
  await deed("open-home", { tab });
  if (tab !== "home" && here.tab === tab && !here.channel && appChannel()) openChannel(appChannel().id);
}

const appChannel = () => state?.channels.find((channel) => channel.kind === "im");
const openPlace = () => state?.channels.find((channel) => channel.id === here.channel);

/** What to call a person or a channel, told by its id; `marked` with the sign Slack puts before it. */
function names(id, marked = false) {
  const person = state?.people.find((one) => one.id === id);
  if (person) return person.name;
  const channel = state?.channels.find((one) => one.id === id);
  if (channel?.kind === "im" || id === state?.app.bot) return state.app.name;
  return channel && (marked ? `${channel.kind === "private" ? "🔒 " : "#"}${channel.name}` : channel.name);
}

// ---- drawing

/** Draw a region again if what it shows changed, and keep the keyboard where it was. */
function region(node, name, shown, build) {
  const key = JSON.stringify(shown);
  if (drawn[name] === key) return false;
  drawn[name] = key;
  const focused = node.contains(document.activeElement) && document.activeElement.dataset.key;
  node.replaceChildren(...[build()].flat().filter(Boolean));
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  return true;
}

function drawChooser(people) {
  byId("page").className = "chooser";
  document.title = "Slack sandbox";
  region(byId("page"), "chooser", people, () => chooser(people, be));
}

function draw() {
  if (!byId("side")) {
    byId("page").className = "shell";
    byId("page").replaceChildren(
      h("nav", { id: "side", "aria-label": "Workspace" }),
      h("div", { id: "shade", onclick: toggleMenu }),
      h("main", {}, h("header", { id: "top" }), h("div", { id: "content", tabindex: "-1" }), h("div", { id: "foot" })),
    );
  }
  document.body.classList.toggle("menu-open", menuOpen);
  const unread = state.channels.reduce((sum, channel) => sum + channel.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${state.team} - Slack sandbox`;
  region(byId("side"), "side", [state.people, state.channels, state.app, here], () => sidebar(state, here, { be, openChannel, openApp }));
  region(byId("top"), "top", [here, state.app, state.channels.map((channel) => channel.name)], drawTop);
  region(byId("foot"), "foot", [here.channel, openPlace()?.archived, state.app.commands], drawFoot);
  here.tab === "home" ? drawHome() : drawMessages();
  drawTopModal();
}

function toggleMenu() {
  menuOpen = !menuOpen;
  draw();
}

function drawTop() {
  const channel = openPlace();
  const inApp = here.tab || channel?.kind === "im";
  const tab = (name, label, shown) => {
    const current = String((here.tab === "home") === (name === "home"));
    const props = { type: "button", role: "tab", "data-key": `tab/${name}`, "aria-selected": current };
    return shown && h("button", { ...props, onclick: () => openApp(name) }, label);
  };
  return [
    h("button", { type: "button", id: "menu", class: "icon", "aria-label": "Show the sidebar", onclick: toggleMenu }, "☰"),
    h("h1", {}, inApp ? state.app.name : channel ? names(channel.id, true) : ""),
    channel?.archived && h("span", { class: "tag" }, "archived"),
    inApp && h("div", { role: "tablist" }, tab("home", "Home", state.app.home), tab("messages", "Messages", state.app.messages)),
  ];
}

function surface(view, act) {
  const mine = (entered[view?.id] ??= {});
  return {
    names, people: state.people, channels: state.channels, values: view?.state.values, entered: mine,
    ask, act, redraw: () => ((drawn = {}), draw()),
  };
}

const used = (block, element, value) => ({ action_id: element.action_id, block_id: block.block_id, value });

function drawHome() {
  const view = state.home;
  const offered = state.channels.map(({ unread, ...channel }) => channel); // a message elsewhere does not redraw Home
  region(byId("content"), "content", ["home", view?.hash, view?.state, offered], () => {
    if (!view) return h("p", { class: "empty" }, `${state.app.name} has not shown you a Home yet.`);
    const act = (block, element, value) => deed("act-in-home", { ...used(block, element, value), entered: entered[view.id] });
    return h("div", { class: "home" }, renderBlocks(view.blocks, surface(view, act)));
  });
}

function drawMessages() {
  const content = byId("content");
  const atEnd = content.scrollHeight - content.scrollTop - content.clientHeight < 80;
  const fresh = !drawn.content?.startsWith(`["${here.channel}"`);
  const changed = region(content, "content", [here.channel, state.messages], () =>
    state.messages.length
      ? h("div", { class: "log", role: "log", "aria-label": "Messages" }, state.messages.map(drawMessage))
      : h("p", { class: "empty" }, openPlace() ? "No messages yet." : "Choose a conversation."),
  );
  const linked = here.ts && content.querySelector(`[data-ts="${CSS.escape(here.ts)}"]`);
  if (fresh && linked) {
    linked.classList.add("linked");
    linked.scrollIntoView({ block: "center" });
  } else if (changed && (fresh || atEnd)) content.scrollTop = content.scrollHeight;
}

function drawMessage(message, at, all) {
  const act = (block, element, value) => deed("press", { channel: here.channel, ts: message.ts, ...used(block, element, value) });
  return messageNodes(message, all[at - 1], state.app.name, surface(null, act));
}

function drawFoot() {
  if (here.tab === "home" || !openPlace() || openPlace().archived) return [];
  const advice = `Type a command, such as ${state.app.commands[0] || "/command"}`;
  const input = h("input", { id: "box", "data-key": "box", list: "commands", autocomplete: "off", placeholder: advice, "aria-label": "Command" });
  const send = async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text.startsWith("/")) return text && toast(`In the sandbox only the app writes messages. ${advice}.`);
    input.value = "";
    return deed("command", { channel: here.channel, text });
  };
  const known = state.app.commands.map((command) => h("option", { value: command }));
  const button = h("button", { class: "button primary", type: "submit", "aria-label": "Send" }, "➤");
  return h("form", { onsubmit: send }, input, h("datalist", { id: "commands" }, known), button);
}

function drawTopModal() {
  const dialog = byId("modal");
  const view = state.modal;
  if (!view) {
    if (dialog.open) dialog.close();
    delete drawn.modal;
    refused = {};
    return;
  }
  if (refused.view !== view.id) refused = { view: view.id };
  const act = (block, element, value) => deed("act-in-modal", { ...used(block, element, value), entered: entered[view.id] });
  const deeds = {
    submit: async () => {
      if (dialog.classList.contains("busy")) return;
      dialog.classList.add("busy");
      const answer = await deed("submit", { entered: entered[view.id] });
      refused = { view: view.id, errors: answer.errors, problem: answer.problem };
      dialog.classList.remove("busy");
      if (state.modal) drawTopModal();
      dialog.querySelector("[aria-invalid=true]")?.focus();
    },
    close: () => deed("close", {}),
    clear: () => deed("close", { clear: true }),
  };
  const stands = { ...surface(view, act), errors: refused.errors };
  region(dialog, "modal", [view.id, view.hash, state.modals, refused], () =>
    modalForm(view, stands, { depth: state.modals, problem: refused.problem, deeds }),
  );
  dialog.oncancel = (event) => (event.preventDefault(), deeds.close());
  if (!dialog.open) dialog.showModal();
}

// ---- begin

if (here.user && (here.tab || !here.channel)) openApp(here.tab || "home");
look();
setInterval(() => document.hidden || look(), EVERY);
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details[open]")) menu.open = false;
});
