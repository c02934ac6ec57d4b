// Cuts pictures with sharp where Gazecrop does. From the checkout: npm install ./service/gazecrop/integrations/sharp
//
//   import sharp from "sharp";
//   import { ask, cropOf, cut } from "gazecrop-sharp";
//
//   const document = await ask(await readFile("photo.jpg"), { url: "http://127.0.0.1:8000", ratios: ["16:9", "1:1"] });
//   await cut(sharp("photo.jpg"), cropOf(document, "16:9"), { width: 800 }).toFile("wide.webp");
//
// A document is the service's answer, or a line of `gazecrop crop --json` or `gazecrop batch`. sharp is the caller's own.

const TRIES = 3;
const LONGEST_WAIT = 10; // seconds, of Retry-After

/** The service's document of a picture, as parsed JSON.
 *
 * picture: the bytes of its file, or `{id}` of one that the service has.
 * ratios: of the crops; without any every profile. key: one of GAZECROP_API_KEYS. parameters: further ones, as
 * `{policy: "careful"}`. timeout: milliseconds for each try. A service that is overloaded (503) is asked three times.
 * Throws Error with the service's `detail` and `status`, or what fetch throws.
 */
export async function ask(picture, { url, ratios = [], key, parameters = {}, timeout = 30_000 }) {
  const query = new URLSearchParams(parameters);
  if (ratios.length) query.set("ratios", ratios.join(","));
  const known = !(picture instanceof Uint8Array);
  const path = known ? `/v1/images/${encodeURIComponent(picture.id)}` : "/v1/images";
  const address = `${url.replace(/\/+$/, "")}${path}?${query}`;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const init = known ? { headers } : { method: "POST", headers, body: picture };
  for (let tries = 1; ; tries++) {
    const answer = await fetch(address, { ...init, redirect: "error", signal: AbortSignal.timeout(timeout) });
    if (answer.ok) return answer.json();
    const text = await answer.text();
    if (answer.status !== 503 || tries === TRIES) throw failure(answer.status, text);
    const wait = Math.min(Number(answer.headers.get("Retry-After")) || 1, LONGEST_WAIT);
    await new Promise((done) => setTimeout(done, 1000 * wait));
  }
}

function failure(status, text) {
  let detail = text.slice(0, 200);
  try {
    const problem = JSON.parse(text);
    detail = problem.detail ?? problem.title ?? detail;
  } catch {
    // not a problem document: a proxy's answer
  }
  return Object.assign(new Error(`Gazecrop: ${status} ${detail}`), { status });
}

/** The crop of a ratio as it was asked for, or of a profile. Throws RangeError where the document has none. */
export function cropOf(document, ratio) {
  const found = document.crops.find((crop) => crop.ratio === ratio || crop.profile === ratio);
  if (!found) throw new RangeError(`no crop ${ratio} in the document: ${document.crops.map((crop) => crop.ratio)}`);
  return found;
}

/** The image, a sharp instance of the whole picture, cut to the crop: turned upright by its EXIF, cut, and scaled.
 *
 * width, height: of the output in pixels; one of them keeps the box's shape, both fill that size. Nothing is enlarged
 * unless `enlarge`. Returns the sharp instance.
 */
export function cut(image, crop, { width, height, enlarge = false } = {}) {
  const { x, y, width: wide, height: high } = crop.box;
  const part = image.rotate().extract({ left: x, top: y, width: wide, height: high });
  if (!width && !height) return part;
  return part.resize({ width, height, fit: "cover", withoutEnlargement: !enlarge });
}
