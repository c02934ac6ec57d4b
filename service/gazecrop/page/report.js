/** An objection to a crop, sent to this server's inbox. The picture goes along only when that is ticked. */
import { call } from "./api.js";
import { cropOf, nameOf } from "./answers.js";
import { PROFILES } from "./gazecrop.js";
import { element, onChange, state } from "./state.js";

const KINDS = {
  wrong: "wrong: it misses what matters",
  biased: "biased: it favours some people",
  other: "something else",
};

const base64 = (blob) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Error("The picture cannot be read any more."));
    reader.readAsDataURL(blob);
  });

/** What is sent: the fields of POST /v1/reports. The crop that is objected to is the first. */
async function report(kind, text, withPicture) {
  const { document: answer, ratio, ratios, picture, constraints } = state;
  const crops = [...new Set([ratio, ...ratios])].slice(0, 16).map((name) => {
    const { box, policy } = cropOf(name);
    return { ratio: PROFILES[name] ?? name, policy, box };
  });
  const should_keep = constraints
    .filter((mark) => mark.kind === "keep")
    .map(({ x, y, width, height }) => ({ x, y, width, height }));
  return {
    id: answer.id,
    version: answer.version,
    kind,
    crops,
    should_keep,
    text,
    ...(withPicture && { picture: await base64(picture.blob) }),
  };
}

/** Fills the section when it is opened for the first time. @param {HTMLElement} place */
export function open(place) {
  const what = element("p"),
    marked = element("p", { className: "quiet" });
  const kind = element(
    "select",
    { id: "report-kind" },
    ...Object.entries(KINDS).map(([value, textContent]) => element("option", { value, textContent })),
  );
  const text = element("textarea", { rows: 4, maxLength: 4000, required: true, id: "report-text" });
  const tick = element("input", { type: "checkbox", id: "report-picture" });
  const send = element("button", { className: "primary", textContent: "Send the report" });
  const said = element("p", { role: "status" }),
    wrong = element("p", { role: "alert" });
  const form = element(
    "form",
    { className: "report" },
    what,
    element("label", {}, "It is ", kind),
    element("label", { htmlFor: "report-text", textContent: "What is wrong with it?" }),
    text,
    marked,
    element(
      "label",
      { className: "check" },
      tick,
      " Send the picture too. Without this only its id, the boxes and your words go.",
    ),
    element("p", {}, send),
    said,
    wrong,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    said.textContent = wrong.textContent = "";
    try {
      const answer = await call("v1/reports", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(await report(kind.value, text.value, tick.checked)),
      });
      const { report: id, picture_kept: picture } = await answer.json();
      said.textContent = `Thank you. The report lies in this server’s inbox as ${id}, ${picture ? "with" : "without"} the picture.`;
      text.value = "";
      tick.checked = false;
    } catch (error) {
      wrong.textContent =
        error.status === 404
          ? "This server takes no reports. Your words are still here: copy them, and tell whoever runs it."
          : error.message;
    } finally {
      send.disabled = false;
    }
  });
  place.replaceChildren(form);
  const write = ({ ratio, constraints }) => {
    const { box } = cropOf(ratio),
      keeps = constraints.filter((mark) => mark.kind === "keep").length;
    what.textContent = `About the crop of ${nameOf(ratio)}: ${box.width} × ${box.height} at ${box.x}, ${box.y}.`;
    marked.textContent = keeps
      ? `${keeps} marked ${keeps === 1 ? "part goes" : "parts go"} along as what should have been kept.`
      : "To show what should have been kept, choose “Mark to keep” and draw on the picture.";
  };
  write(state);
  onChange(write);
}
