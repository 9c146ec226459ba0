// Narrows the list of channels while somebody types, and names the chosen one on the button.
"use strict";

const MOST = 200; // rows at once: more than anybody reads, and few enough to be there at once

const search = document.getElementById("search");

if (search) {
  const list = document.getElementById("channels");
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const more = document.getElementById("more");
  const button = search.form.querySelector("button");
  const all = Array.from(list.children, (label) => ({
    label,
    radio: label.querySelector("input"),
    name: label.querySelector("b").textContent,
  }));
  let first = null;

  const chosenOne = () => all.find((channel) => channel.radio.checked);

  const nameIt = () => {
    const chosen = chosenOne();
    button.disabled = !chosen;
    button.textContent = chosen ? `Use #${chosen.name}` : "Use this channel";
  };

  const narrow = () => {
    const wanted = search.value.trim().toLowerCase().replace(/^#/, "");
    const found = all.filter((channel) => channel.name.toLowerCase().includes(wanted));
    const chosen = chosenOne();
    const shown = found.slice(0, MOST);
    if (chosen && !shown.includes(chosen)) {
      shown.unshift(chosen); // what is not in the page is not sent
    }
    first = found[0];
    list.replaceChildren(...shown.map((channel) => channel.label));
    list.scrollTop = 0;
    list.hidden = shown.length === 0;
    none.hidden = found.length > 0;
    more.hidden = found.length <= MOST;
    const total = all.length.toLocaleString("en");
    count.textContent = wanted ? `${found.length.toLocaleString("en")} of ${total}` : total;
    nameIt();
  };

  search.closest(".search").hidden = false;
  search.addEventListener("input", narrow);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") {
      return;
    }
    event.preventDefault(); // Enter in a search box would send the form before anything is chosen
    if (first) {
      first.radio.checked = true;
      narrow();
      first.radio.focus();
    }
  });
  list.addEventListener("change", nameIt);
  // Browsers bring back what was typed when somebody comes back to the page.
  narrow();
}
