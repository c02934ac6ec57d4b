/** The form that reports a wrong or unfair crop to this server. The picture is sent only if its checkbox is ticked. */
import { call } from "./api.js";
import { cropOf, nameOf } from "./answers.js";
import { PROFILES } from "./gazecrop.js";
import { element, onChange, state } from "./state.js";

const KINDS = {
  wrong: "It cuts off something important",
  biased: "It favours some people over others",
  other: "Something else",
};

const base64 = (blob) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Error("The picture file can no longer be read."));
    reader.readAsDataURL(blob);
  });

/** The body of POST /v1/reports. The reported crop is the first of `crops`. */
async function reportOf(kind, text, withPicture) {
  const { analysis, ratio, ratios, picture, constraints } = state;
  const crops = [...new Set([ratio, ...ratios])].slice(0, 16).map((name) => {
    const { box, policy } = cropOf(name);
    return { ratio: PROFILES[name] ?? name, policy, box };
  });
  const should_keep = constraints
    .filter((mark) => mark.kind === "keep")
    .map(({ x, y, width, height }) => ({ x, y, width, height }));
  return {
    id: analysis.id,
    version: analysis.version,
    kind,
    crops,
    should_keep,
    text,
    ...(withPicture && { picture: await base64(picture.blob) }),
  };
}

/** Fills the section when it is opened for the first time. @param {HTMLElement} section */
export function open(section) {
  const subject = element("p"),
    marked = element("p", { className: "quiet" });
  const kind = element(
    "select",
    { id: "report-kind" },
    ...Object.entries(KINDS).map(([value, textContent]) => element("option", { value, textContent })),
  );
  const text = element("textarea", { rows: 4, maxLength: 4000, required: true, id: "report-text" });
  const withPicture = element("input", { type: "checkbox", id: "report-picture" });
  const send = element("button", { className: "primary", textContent: "Send the report" });
  const status = element("p", { role: "status" }),
    alert = element("p", { role: "alert" });
  const form = element(
    "form",
    { className: "report" },
    subject,
    element("label", {}, "Problem ", kind),
    element("label", { htmlFor: "report-text", textContent: "What is wrong with it?" }),
    text,
    marked,
    element(
      "label",
      { className: "check" },
      withPicture,
      " Send the picture too. Otherwise only its id, the boxes and your text are sent.",
    ),
    element("p", {}, send),
    status,
    alert,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    status.textContent = alert.textContent = "";
    try {
      const answer = await call("v1/reports", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(await reportOf(kind.value, text.value, withPicture.checked)),
      });
      const { report: id, picture_kept: picture } = await answer.json();
      status.textContent = `Thank you. The report was received ${picture ? "with" : "without"} the picture. Its id is ${id}.`;
      text.value = "";
      withPicture.checked = false;
    } catch (error) {
      alert.textContent =
        error.status === 404
          ? "This server does not accept reports. Copy your text and send it to the operator of this server."
          : error.message;
    } finally {
      send.disabled = false;
    }
  });
  section.replaceChildren(form);
  const describe = ({ ratio, constraints }) => {
    const { box } = cropOf(ratio),
      keeps = constraints.filter((mark) => mark.kind === "keep").length;
    subject.textContent = `About the crop of ${nameOf(ratio)}: ${box.width} × ${box.height} at ${box.x}, ${box.y}.`;
    marked.textContent = keeps
      ? `${keeps} marked ${keeps === 1 ? "part is" : "parts are"} sent as what should have been kept.`
      : "To show what should have been kept, choose “Mark to keep” and draw on the picture.";
  };
  describe(state);
  onChange(describe);
}
