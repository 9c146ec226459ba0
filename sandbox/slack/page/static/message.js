// Renders a message in a conversation.
import { avatar, h, localTime } from "./dom.js";
import { renderBlocks } from "./blocks.js";
import { mrkdwn } from "./mrkdwn.js";

/** The message, preceded by a date divider if `previous` is from another day. */
export function messageNodes(message, previous, app, surface) {
  const moment = when(message);
  const newDay = !previous || day(when(previous)) !== day(moment);
  const kinds = ["message", message.only_you && "only-you", message.thread_ts && "reply"].filter(Boolean).join(" ");
  return [
    newDay && h("div", { class: "day" }, day(moment)),
    h(
      "article",
      { class: kinds, "data-ts": message.ts },
      avatar(app, "app", "app"),
      h(
        "div",
        { class: "message-body" },
        message.only_you && h("div", { class: "hint" }, "👁 Only visible to you"),
        h("div", { class: "message-author" }, h("b", {}, app), h("span", { class: "tag" }, "APP"), clock(moment)),
        content(message, surface),
        (message.attachments || []).map((part) => h("div", { class: "attachment" }, content(part, surface))),
        message.edited && h("span", { class: "hint" }, "(edited)"),
      ),
    ),
  ];
}

const when = (message) => new Date(Number(message.ts) * 1000);

const day = (moment) => localTime(moment, { weekday: "long", day: "numeric", month: "long" });

const clock = (moment) =>
  h("time", { datetime: moment.toISOString(), title: localTime(moment) }, localTime(moment, { timeStyle: "short" }));

const content = ({ blocks, text, fallback }, surface) =>
  blocks ? renderBlocks(blocks, surface) : h("div", {}, mrkdwn(text || fallback || "", surface.names));
