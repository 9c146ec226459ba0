// The first page: who do you want to be?
import { avatar, h } from "./dom.js";

/** Everybody, by workspace; `be` is called with the one who is chosen and how many messages wait for them. */
export function chooser(people, be) {
  const teams = [...new Set(people.map((person) => person.team))];
  const list = teams.map((team) => [
    h("h2", {}, team),
    h("div", { class: "people" }, people.filter((person) => person.team === team).map((person) => row(person, be))),
  ]);
  return h(
    "main",
    {},
    h("h1", {}, "Who do you want to be?"),
    h("p", {}, "This is a Slack workspace that lives on this machine. A number says how many messages from the app are unread."),
    people.length > 10 && h("input", { id: "find", type: "search", placeholder: "Find a person", "aria-label": "Find a person", oninput: filter }),
    list,
  );
}

function row(person, be) {
  const about = [person.title, person.role].filter(Boolean).join(" · ");
  return h(
    "button",
    { type: "button", class: "person", disabled: person.deleted, "data-name": person.name.toLowerCase(), onclick: () => be(person.id, person.unread) },
    avatar(person.name, person.id),
    h("span", {}, h("b", {}, person.name), h("small", {}, about)),
    badge(person.unread),
  );
}

function filter(event) {
  const wanted = event.target.value.toLowerCase();
  for (const node of document.querySelectorAll(".person")) node.hidden = !node.dataset.name.includes(wanted);
}

export function badge(unread) {
  return unread > 0 && h("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread));
}
