// The first page: choose a person to sign in as.
import { avatar, h } from "./dom.js";

/** People by workspace. `signIn` is called with the id and the number of unread messages of the chosen person. */
export function chooser(people, signIn) {
  const teams = [...new Set(people.map((person) => person.team))];
  const list = teams.map((team) => [
    h("h2", {}, team),
    h("div", { class: "people" }, people.filter((person) => person.team === team).map((person) => row(person, signIn))),
  ]);
  return h(
    "main",
    {},
    h("h1", {}, "Sign in as"),
    h("p", {}, "This is the Slack sandbox, a workspace on this machine. Badges count unread messages from the app."),
    people.length > 10 && h("input", { id: "find", type: "search", placeholder: "Find a person", "aria-label": "Find a person", oninput: filter }),
    list,
  );
}

function row(person, signIn) {
  const about = [person.title, person.role].filter(Boolean).join(" · ");
  return h(
    "button",
    { type: "button", class: "person", disabled: person.deleted, "data-name": person.name.toLowerCase(), onclick: () => signIn(person.id, person.unread) },
    avatar(person.name, person.id),
    h("span", {}, h("b", {}, person.name), h("small", {}, about)),
    badge(person.unread),
  );
}

function filter(event) {
  const text = event.target.value.toLowerCase();
  for (const node of document.querySelectorAll(".person")) node.hidden = !node.dataset.name.includes(text);
}

export function badge(unread) {
  return unread > 0 && h("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread));
}
