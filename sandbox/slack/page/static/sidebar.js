// The sidebar: the signed-in person, channels and the app.
import { avatar, h } from "./dom.js";
import { badge } from "./chooser.js";

export function sidebar(state, current, { signIn, openChannel, openApp }) {
  const app = state.app.name;
  const me = state.people.find((person) => person.id === current.user)?.name || current.user;
  const dm = state.channels.find((channel) => channel.kind === "im");
  const channels = state.channels.filter((channel) => channel.kind !== "im");
  const prefix = (text) => h("span", { class: "sign", "aria-hidden": "true" }, text);
  const icon = () => avatar(app, "app", "app small");
  return [
    h("div", { class: "team" }, h("strong", {}, state.team), h("small", {}, "Slack sandbox")),
    h(
      "button",
      { type: "button", class: "me", "data-key": "me", title: "Switch user", onclick: () => signIn(null) },
      avatar(me, current.user),
      h("span", {}, h("small", {}, "Signed in as"), h("b", {}, me)),
      h("span", { class: "swap", "aria-hidden": "true" }, "⇄"),
    ),
    h(
      "div",
      { class: "places" },
      h("h2", {}, "Channels"),
      channels.map((channel) =>
        place(prefix(channel.kind === "private" ? "🔒" : "#"), channel.name, channel.unread, current.channel === channel.id, () => openChannel(channel.id)),
      ),
      h("h2", {}, "Direct messages"),
      place(icon(), app, dm?.unread || 0, current.tab === "messages" || (dm && current.channel === dm.id), () => openApp("messages")),
      h("h2", {}, "Apps"),
      state.app.home && place(icon(), `${app} Home`, 0, current.tab === "home", () => openApp("home")),
    ),
  ];
}

function place(icon, name, unread, isOpen, open) {
  const props = { type: "button", class: `place ${unread ? "unread" : ""}`, "data-key": `place/${name}`, "aria-current": isOpen ? "page" : null };
  return h("button", { ...props, onclick: open }, icon, h("span", { class: "name" }, name), badge(unread));
}
