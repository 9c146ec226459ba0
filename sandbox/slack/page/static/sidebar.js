// The sidebar: who one is, the channels, the app.
import { avatar, h } from "./dom.js";
import { badge } from "./chooser.js";

export function sidebar(state, here, { be, openChannel, openApp }) {
  const app = state.app.name;
  const me = state.people.find((person) => person.id === here.user)?.name || here.user;
  const dm = state.channels.find((channel) => channel.kind === "im");
  const channels = state.channels.filter((channel) => channel.kind !== "im");
  const sign = (text) => h("span", { class: "sign", "aria-hidden": "true" }, text);
  const icon = () => avatar(app, "app", "app small");
  return [
    h("div", { class: "team" }, h("strong", {}, state.team), h("small", {}, "Slack sandbox")),
    h(
      "button",
      { type: "button", class: "me", "data-key": "me", title: "Be somebody else", onclick: () => be(null) },
      avatar(me, here.user),
      h("span", {}, h("small", {}, "You are"), h("b", {}, me)),
      h("span", { class: "swap", "aria-hidden": "true" }, "⇄"),
    ),
    h(
      "div",
      { class: "places" },
      h("h2", {}, "Channels"),
      channels.map((channel) =>
        place(sign(channel.kind === "private" ? "🔒" : "#"), channel.name, channel.unread, here.channel === channel.id, () => openChannel(channel.id)),
      ),
      h("h2", {}, "Direct messages"),
      place(icon(), app, dm?.unread || 0, here.tab === "messages" || (dm && here.channel === dm.id), () => openApp("messages")),
      h("h2", {}, "Apps"),
      state.app.home && place(icon(), `${app} Home`, 0, here.tab === "home", () => openApp("home")),
    ),
  ];
}

function place(icon, name, unread, current, go) {
  const props = { type: "button", class: `place ${unread ? "unread" : ""}`, "data-key": `place/${name}`, "aria-current": current ? "page" : null };
  return h("button", { ...props, onclick: go }, icon, h("span", { class: "name" }, name), badge(unread));
}
