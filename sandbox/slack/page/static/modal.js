// The two dialogs: an app's modal, and the question a button asks before it acts.
import { h } from "./dom.js";
import { decode, textObject } from "./mrkdwn.js";
import { renderBlocks } from "./blocks.js";

const plain = (object, otherwise) => (object ? decode(object.text) : otherwise);

/** A view as a form; `depth` is how many are stacked, `deeds` are submit, close and clear. */
export function modalForm(view, surface, { depth, problem, deeds }) {
  return h(
    "form",
    { method: "dialog", novalidate: true, onsubmit: (event) => (event.preventDefault(), view.submit && deeds.submit()) },
    h(
      "header",
      {},
      depth > 1 && h("button", { type: "button", class: "icon", "aria-label": "Back", onclick: deeds.close }, "‹"),
      h("h2", { id: "modal-title" }, plain(view.title, "")),
      h("button", { type: "button", class: "icon", "aria-label": "Close", onclick: depth > 1 ? deeds.clear : deeds.close }, "×"),
    ),
    h("div", { class: "modal-body" }, problem && h("div", { class: "alert error", role: "alert" }, problem), renderBlocks(view.blocks, surface)),
    h(
      "footer",
      {},
      h("button", { type: "button", class: "button", onclick: deeds.close }, plain(view.close, "Cancel")),
      view.submit && h("button", { type: "submit", class: "button primary" }, plain(view.submit)),
    ),
  );
}

/** Whether the person says yes. https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object */
export function ask(confirm) {
  const dialog = document.getElementById("question");
  return new Promise((resolve) => {
    const answer = (yes) => () => {
      dialog.oncancel = null;
      dialog.close();
      resolve(yes);
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
