// The two dialogs: a modal of the app, and the confirmation of an action.
import { h } from "./dom.js";
import { decode, textObject } from "./mrkdwn.js";
import { renderBlocks } from "./blocks.js";

const plain = (object, fallback) => (object ? decode(object.text) : fallback);

/** A view as a form. `depth` is the number of stacked views; `actions` are submit, close and clear. */
export function modalForm(view, surface, { depth, problem, actions }) {
  return h(
    "form",
    { method: "dialog", novalidate: true, onsubmit: (event) => (event.preventDefault(), view.submit && actions.submit()) },
    h(
      "header",
      {},
      depth > 1 && h("button", { type: "button", class: "icon", "aria-label": "Back", onclick: actions.close }, "‹"),
      h("h2", { id: "modal-title" }, plain(view.title, "")),
      h("button", { type: "button", class: "icon", "aria-label": "Close", onclick: depth > 1 ? actions.clear : actions.close }, "×"),
    ),
    h("div", { class: "modal-body" }, problem && h("div", { class: "alert error", role: "alert" }, problem), renderBlocks(view.blocks, surface)),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "button", onclick: actions.close }, plain(view.close, "Cancel")),
      view.submit && h("button", { type: "submit", class: "button primary" }, plain(view.submit)),
    ),
  );
}

/** Show a confirmation dialog; resolves to whether the person confirmed. https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object */
export function ask(confirm) {
  const dialog = document.getElementById("question");
  return new Promise((resolve) => {
    const answer = (confirmed) => () => {
      dialog.oncancel = null;
      dialog.close();
      resolve(confirmed);
    };
    dialog.replaceChildren(
      h("header", {}, h("h2", {}, plain(confirm.title, ""))),
      h("div", { class: "modal-body" }, textObject(confirm.text, () => null)),
      h(
        "footer",
        {},
        h("button", { type: "button", class: "button", onclick: answer(false) }, plain(confirm.deny, "Cancel")),
        h("button", { type: "button", class: `button ${confirm.style || "primary"}`, onclick: answer(true) }, plain(confirm.confirm, "OK")),
      ),
    );
    dialog.oncancel = answer(false);
    dialog.showModal();
  });
}
