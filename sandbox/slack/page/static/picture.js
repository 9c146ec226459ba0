// Draws a single message for a screenshot: `drawPicture({app, blocks, text, ts}, names)`.
import { messageNodes } from "./message.js";

window.drawPicture = (message, names = {}) => {
  const surface = { names: (id) => names[id], people: [], channels: [], entered: {} };
  const [, node] = messageNodes(message, null, message.app, surface);
  document.getElementById("picture").replaceChildren(node);
};
