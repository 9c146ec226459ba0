// Filters the list of channels as the user types, and shows the chosen channel on the button.
"use strict";

const MAX_ROWS = 200; // more than anyone reads, and few enough to render without a delay

const search = document.getElementById("search");

if (search) {
  const list = document.getElementById("channels");
  const count = document.getElementById("count");
  const noMatches = document.getElementById("no-matches");
  const moreMatches = document.getElementById("more-matches");
  const button = search.form.querySelector("button");
  const channels = Array.from(list.children, (label) => ({
    label,
    radio: label.querySelector("input"),
    name: label.querySelector("b").textContent,
  }));
  let firstMatch = null;

  const chosenChannel = () => channels.find((channel) => channel.radio.checked);

  const updateButton = () => {
    const chosen = chosenChannel();
    button.disabled = !chosen;
    button.textContent = chosen ? `Use #${chosen.name}` : "Use this channel";
  };

  const filter = () => {
    const query = search.value.trim().toLowerCase().replace(/^#/, "");
    const matches = channels.filter((channel) => channel.name.toLowerCase().includes(query));
    const chosen = chosenChannel();
    const visible = matches.slice(0, MAX_ROWS);
    if (chosen && !visible.includes(chosen)) {
      visible.unshift(chosen); // the form sends only what is in the page
    }
    firstMatch = matches[0];
    list.replaceChildren(...visible.map((channel) => channel.label));
    list.scrollTop = 0;
    list.hidden = visible.length === 0;
    noMatches.hidden = matches.length > 0;
    moreMatches.hidden = matches.length <= MAX_ROWS;
    const total = channels.length.toLocaleString("en");
    count.textContent = query ? `${matches.length.toLocaleString("en")} of ${total}` : total;
    updateButton();
  };

  search.closest(".search").hidden = false;
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") {
      return;
    }
    event.preventDefault(); // Enter in a search box would submit the form before a channel is chosen
    if (firstMatch) {
      firstMatch.radio.checked = true;
      filter();
      firstMatch.radio.focus();
    }
  });
  list.addEventListener("change", updateButton);
  // Browsers restore the search text when the user returns to the page.
  filter();
}
