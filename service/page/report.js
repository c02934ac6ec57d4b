/** An objection to a crop, sent to this server's inbox. The picture goes along only when that is ticked. */
import { call } from "./api.js";
import { cropOf, nameOf } from "./answers.js";
import { element, onChange, state } from "./state.js";

const base64 = (blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => failed(new Error("The picture cannot be read any more."));
  reader.readAsDataURL(blob);
});

/** What is sent; the fields of POST /v1/reports. */
async function report(text, withPicture) {
  const { document: answer, grid, ratio, policy, zoom, focus, picture } = state;
  return {
    id: answer.id, version: answer.version, model: answer.model,
    ratio: nameOf(ratio), policy, zoom, box: cropOf(ratio).box, focus,
    size: { width: grid.width, height: grid.height },
    should_keep: state.constraints.filter((mark) => mark.kind === "keep").map(({ x, y, width, height }) => ({ x, y, width, height })),
    text,
    ...(withPicture && { picture: await base64(picture.blob) }),
  };
}

/** Fills the section when it is opened for the first time. @param {HTMLElement} place */
export function open(place) {
  const what = element("p"), marked = element("p", { className: "quiet" });
  const text = element("textarea", { rows: 4, maxLength: 2000, required: true, id: "report-text" });
  const tick = element("input", { type: "checkbox", id: "report-picture" });
  const send = element("button", { className: "primary", textContent: "Send the report" });
  const said = element("p", { role: "status" }), wrong = element("p", { role: "alert" });
  const form = element("form", { className: "report" }, what,
    element("label", { htmlFor: "report-text", textContent: "What is wrong with it?" }), text, marked,
    element("label", { className: "check" }, tick, " Send the picture too. Without this only its id, the boxes and your words go."),
    element("p", {}, send), said, wrong);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    said.textContent = wrong.textContent = "";
    try {
      const answer = await call("v1/reports", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(await report(text.value, tick.checked)) });
      const { id } = await answer.json().catch(() => ({}));
      said.textContent = `Thank you. The report lies in this server's inbox${id ? ` as ${id}` : ""}.`;
      text.value = "";
      tick.checked = false;
    } catch (error) {
      wrong.textContent = error.status === 404 || error.status === 405 ? "This server takes no reports." : error.message;
    } finally {
      send.disabled = false;
    }
  });
  place.replaceChildren(form);
  const write = ({ ratio, constraints }) => {
    const { box } = cropOf(ratio), keeps = constraints.filter((mark) => mark.kind === "keep").length;
    what.textContent = `About the crop of ${nameOf(ratio)}: ${box.width} × ${box.height} at ${box.x}, ${box.y}.`;
    marked.textContent = keeps ? `${keeps} marked ${keeps === 1 ? "part goes" : "parts go"} along as what should have been kept.`
      : "To show what should have been kept, choose “Mark to keep” and draw on the picture.";
  };
  write(state);
  onChange(write);
}
