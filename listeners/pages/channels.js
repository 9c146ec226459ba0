// Filters the list of channels as the user types, lists more of them meanwhile, and names the chosen one on the button.
"use strict";

const MAX_ROWS = 200; // more than anyone reads, and few enough to render without a delay
const MAX_FAILURES = 5;

const search = document.getElementById("search");

if (search) {
  const list = document.getElementById("channels");
  const count = document.getElementById("count");
  const noMatches = document.getElementById("no-matches");
  const moreMatches = document.getElementById("more-matches");
  const loading = document.getElementById("loading");
  const button = search.form.querySelector("button");
  const entry = (label) => ({
    label,
    radio: label.querySelector("input"),
    name: label.querySelector("b").textContent,
  });
  const channels = Array.from(list.children, entry);
  let firstMatch = null;

  const chosenChannel = () => channels.find((channel) => channel.radio.checked);

  // The id in a link such as https://acme.slack.com/archives/C0123456789
  const linkedId = () => (/\/(?:archives|client\/\w+)\/([CG][A-Z0-9]+)/.exec(search.value) || [])[1];

  const updateButton = () => {
    const chosen = chosenChannel();
    button.disabled = !chosen && !linkedId();
    button.textContent = chosen ? `Use #${chosen.name}` : "Use this channel";
  };

  const filter = () => {
    const id = linkedId();
    const query = search.value.trim().toLowerCase().replace(/^#/, "");
    const matches = channels.filter((channel) =>
      id ? channel.radio.value === id : channel.name.toLowerCase().includes(query),
    );
    const chosen = chosenChannel();
    const visible = matches.slice(0, MAX_ROWS);
    if (chosen && matches.length === 0 && query) {
      chosen.radio.checked = false; // nobody submits a channel that they do not see
    } else if (chosen && !visible.includes(chosen)) {
      visible.unshift(chosen); // the form sends only what is in the page
    }
    firstMatch = matches[0];
    list.replaceChildren(...visible.map((channel) => channel.label));
    list.hidden = visible.length === 0;
    noMatches.hidden = matches.length > 0 || Boolean(id) || Boolean(loading && !loading.hidden);
    moreMatches.hidden = matches.length <= MAX_ROWS;
    const total = channels.length.toLocaleString("en");
    count.textContent = query ? `${matches.length.toLocaleString("en")} of ${total}` : total;
    updateButton();
  };

  const labelOf = (channel) => {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "channel", value: channel.id });
    const name = Object.assign(document.createElement("b"), { textContent: channel.name });
    const tags = channel.tags.map((tag) =>
      Object.assign(document.createElement("span"), { className: "tag", textContent: tag }),
    );
    label.append(radio, name, ...tags);
    return label;
  };

  const add = (more) => {
    const known = new Set(channels.map((channel) => channel.radio.value));
    channels.push(...more.filter((channel) => !known.has(channel.id)).map(labelOf).map(entry));
    channels.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
    const focused = document.activeElement;
    filter();
    if (focused && list.contains(focused)) {
      focused.focus(); // replacing the rows takes the focus away
    }
  };

  const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  // Slack lists a large workspace in about two minutes. The page can be used meanwhile.
  const listMore = async () => {
    let position = list.dataset.position;
    let failures = 0;
    await sleep(Number(list.dataset.wait) || 0);
    while (position && failures < MAX_FAILURES) {
      const query = new URLSearchParams({ link: search.form.elements.link.value, position });
      const page = await fetch(`/slack/default-channel/more?${query}`)
        .then((response) => (response.ok ? response.json() : null))
        .catch(() => null);
      failures = page ? 0 : failures + 1;
      if (page) {
        position = page.position;
        loading.hidden = !position;
        add(page.channels);
      }
      await sleep(page ? page.wait : 10);
    }
  };

  search.addEventListener("input", () => {
    filter();
    list.scrollTop = 0;
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") {
      return;
    }
    if (event.key === "Enter" && linkedId() && !firstMatch) {
      return; // the form is submitted with the link
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
  listMore();
}
