// The page: keeps the signed-in person and the open conversation, polls the sandbox, draws, and performs actions.
import { h } from "./dom.js";
import { renderBlocks } from "./blocks.js";
import { chooser } from "./chooser.js";
import { messageNodes } from "./message.js";
import { ask, modalForm } from "./modal.js";
import { sidebar } from "./sidebar.js";

const POLL_INTERVAL = 700; // milliseconds
const NOT_RESPONDING = "The sandbox is not responding.";
const byId = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const current = { user: query.get("user"), channel: query.get("channel"), tab: query.get("tab"), ts: query.get("ts") };
let state = null; // the latest state from the sandbox
let drawn = {}; // the data each region was last drawn from, to skip regions that did not change
let entered = {}; // by view id: values entered but not sent yet
let rejected = {}; // the result of submitting the open modal: {view, errors, problem}
let menuOpen = false;

// ---- talking to the sandbox

async function refresh() {
  if (!current.user) {
    const { people } = await (await fetch("/page/people")).json();
    return current.user ? undefined : drawChooser(people);
  }
  const params = new URLSearchParams({ user: current.user });
  if (current.channel) params.set("channel", current.channel);
  if (state && state.me === current.user && state.open === current.channel) params.set("version", state.version);
  const response = await fetch(`/page/state?${params}`);
  if (response.status === 404) return void signIn(null);
  if (response.status === 200 && params.get("user") === current.user && (params.get("channel") ?? null) === current.channel) {
    state = await response.json();
    draw();
  }
}

/** Perform an action as this person, show its problem if there is one, and refresh. */
async function act(name, details) {
  const body = JSON.stringify({ user: current.user, ...details });
  let result = { problem: NOT_RESPONDING };
  try {
    const response = await fetch(`/page/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (response.ok) result = await response.json();
  } catch {
    // The toast below reports it.
  }
  if (result.problem && name !== "submit") toast(result.problem);
  await poll();
  return result;
}

let polling = null;
async function poll() {
  if (polling) await polling; // a request in progress may be older than the change we want to see
  polling ??= refresh()
    .catch(() => toast(NOT_RESPONDING))
    .finally(() => (polling = null));
  return polling;
}

/** Show a short message for six seconds, above everything else, including an open modal. */
function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidePopover();
  box.showPopover();
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.hidePopover(), 6000);
}

// ---- navigation

function updateUrl() {
  const params = Object.entries(current).filter(([name, value]) => value && name !== "ts");
  history.replaceState(null, "", `/?${new URLSearchParams(params)}`);
}

/** Sign in as `user`; null shows the list of people. */
function signIn(user, unread = 0) {
  if (!user && (current.tab || currentConversation()?.kind === "im")) Object.assign(current, { channel: null, tab: current.tab || "messages" });
  Object.assign(current, { user, ts: user ? current.ts : null });
  [state, drawn, entered, rejected, menuOpen] = [null, {}, {}, {}, false];
  if (byId("modal").open) byId("modal").close();
  if (user && !current.channel) current.tab = unread ? "messages" : current.tab || "home";
  updateUrl();
  if (user && current.tab) openApp(current.tab);
  return poll();
}

function openChannel(id) {
  Object.assign(current, { channel: id, tab: null, ts: null });
  menuOpen = false;
  updateUrl();
  return poll();
}

async function openApp(tab) {
  Object.assign(current, { tab, channel: tab === "home" ? null : appChannel()?.id ?? null, ts: null });
  menuOpen = false;
  updateUrl();
  if (state) draw();
  await act("open-home", { tab });
  if (tab !== "home" && current.tab === tab && !current.channel && appChannel()) openChannel(appChannel().id);
}

const appChannel = () => state?.channels.find((channel) => channel.kind === "im");
const currentConversation = () => state?.channels.find((channel) => channel.id === current.channel);

/** The name of a person or channel. `withPrefix` adds Slack's symbol for the type of channel. */
function names(id, withPrefix = false) {
  const byThisId = (item) => item.id === id;
  const person = state?.people.find(byThisId);
  if (person) return person.name;
  const channel = state?.channels.find(byThisId);
  if (channel?.kind === "im" || id === state?.app.bot) return state.app.name;
  return channel && (withPrefix ? `${channel.kind === "private" ? "🔒 " : "#"}${channel.name}` : channel.name);
}

// ---- drawing

/** Redraw a region if its data changed, and keep the keyboard focus. */
function region(node, name, data, build) {
  const key = JSON.stringify(data);
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
  region(byId("page"), "chooser", people, () => chooser(people, signIn));
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
  document.documentElement.dataset.timeZone = state.tz;
  const unread = state.channels.reduce((sum, channel) => sum + channel.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${state.team} - Slack sandbox`;
  region(byId("side"), "side", [state.people, state.channels, state.app, current], () => sidebar(state, current, { signIn, openChannel, openApp }));
  region(byId("top"), "top", [current, state.app, state.channels.map((channel) => channel.name)], drawTop);
  region(byId("foot"), "foot", [current.channel, currentConversation()?.archived, state.app.commands], drawFoot);
  current.tab === "home" ? drawHome() : drawMessages();
  drawTopModal();
}

function toggleMenu() {
  menuOpen = !menuOpen;
  draw();
}

function drawTop() {
  const channel = currentConversation();
  const inApp = current.tab || channel?.kind === "im";
  const tab = (name, label, shown) => {
    const selected = String((current.tab === "home") === (name === "home"));
    const props = { type: "button", role: "tab", "data-key": `tab/${name}`, "aria-selected": selected };
    return shown && h("button", { ...props, onclick: () => openApp(name) }, label);
  };
  return [
    h("button", { type: "button", id: "menu", class: "icon", "aria-label": "Show sidebar", onclick: toggleMenu }, "☰"),
    h("h1", {}, inApp ? state.app.name : channel ? names(channel.id, true) : ""),
    channel?.archived && h("span", { class: "tag" }, "archived"),
    inApp && h("div", { role: "tablist" }, tab("home", "Home", state.app.home), tab("messages", "Messages", state.app.messages)),
  ];
}

function surface(view, onAct) {
  const values = (entered[view?.id] ??= {});
  return {
    names, people: state.people, channels: state.channels, values: view?.state.values, entered: values,
    ask, act: onAct, redraw: () => ((drawn = {}), draw()),
  };
}

const elementOf = (block, element, value) => ({ action_id: element.action_id, block_id: block.block_id, value });

function drawHome() {
  const view = state.home;
  const channels = state.channels.map(({ unread, ...channel }) => channel); // without unread counts, which do not change Home
  region(byId("content"), "content", ["home", view?.hash, view?.state, channels], () => {
    if (!view) return h("p", { class: "empty" }, `${state.app.name} has not published a Home for you yet.`);
    const onAct = (block, element, value) => act("act-in-home", { ...elementOf(block, element, value), entered: entered[view.id] });
    return h("div", { class: "home" }, renderBlocks(view.blocks, surface(view, onAct)));
  });
}

function drawMessages() {
  const content = byId("content");
  const atEnd = content.scrollHeight - content.scrollTop - content.clientHeight < 80;
  const fresh = !drawn.content?.startsWith(`["${current.channel}"`);
  const changed = region(content, "content", [current.channel, state.messages], () =>
    state.messages.length
      ? h("div", { class: "log", role: "log", "aria-label": "Messages" }, state.messages.map(drawMessage))
      : h("p", { class: "empty" }, currentConversation() ? "No messages yet." : "Select a conversation."),
  );
  const linked = current.ts && content.querySelector(`[data-ts="${CSS.escape(current.ts)}"]`);
  if (fresh && linked) {
    linked.classList.add("linked");
    linked.scrollIntoView({ block: "center" });
  } else if (changed && (fresh || atEnd)) content.scrollTop = content.scrollHeight;
}

function drawMessage(message, index, messages) {
  const onAct = (block, element, value) => act("press", { channel: current.channel, ts: message.ts, ...elementOf(block, element, value) });
  return messageNodes(message, messages[index - 1], state.app.name, surface(null, onAct));
}

function drawFoot() {
  if (current.tab === "home" || !currentConversation() || currentConversation().archived) return [];
  const hint = `Type a command, such as ${state.app.commands[0] || "/command"}`;
  const input = h("input", { id: "box", "data-key": "box", list: "commands", autocomplete: "off", placeholder: hint, "aria-label": "Command" });
  const send = async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text.startsWith("/")) return text && toast(`Only the app posts messages in the sandbox. ${hint}.`);
    input.value = "";
    return act("command", { channel: current.channel, text });
  };
  const commands = state.app.commands.map((command) => h("option", { value: command }));
  const button = h("button", { class: "button primary", type: "submit", "aria-label": "Send" }, "➤");
  return h("form", { onsubmit: send }, input, h("datalist", { id: "commands" }, commands), button);
}

function drawTopModal() {
  const dialog = byId("modal");
  const view = state.modal;
  if (!view) {
    if (dialog.open) dialog.close();
    delete drawn.modal;
    rejected = {};
    return;
  }
  if (rejected.view !== view.id) rejected = { view: view.id };
  const onAct = (block, element, value) => act("act-in-modal", { ...elementOf(block, element, value), entered: entered[view.id] });
  const actions = {
    submit: async () => {
      if (dialog.classList.contains("busy")) return;
      dialog.classList.add("busy");
      const result = await act("submit", { entered: entered[view.id] });
      rejected = { view: view.id, errors: result.errors, problem: result.problem };
      dialog.classList.remove("busy");
      if (state.modal) drawTopModal();
      dialog.querySelector("[aria-invalid=true]")?.focus();
    },
    close: () => act("close", {}),
    clear: () => act("close", { clear: true }),
  };
  const modalSurface = { ...surface(view, onAct), errors: rejected.errors };
  region(dialog, "modal", [view.id, view.hash, state.modals, rejected], () =>
    modalForm(view, modalSurface, { depth: state.modals, problem: rejected.problem, actions }),
  );
  dialog.oncancel = (event) => (event.preventDefault(), actions.close());
  if (!dialog.open) dialog.showModal();
}

// ---- start

if (current.user && (current.tab || !current.channel)) openApp(current.tab || "home");
poll();
setInterval(() => document.hidden || poll(), POLL_INTERVAL);
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details[open]")) menu.open = false;
});
