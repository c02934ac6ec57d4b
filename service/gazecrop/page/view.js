/** The picture and the layers over it: heat map, boxes, points, grid lines. */
import { cropOf } from "./answers.js";
import { byId, element, onChange, state } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";

/** RGBA from transparent through violet and orange to yellow: legible on dark and on bright pictures. */
const RAMP = [
  [60, 15, 140, 0],
  [110, 25, 150, 130],
  [200, 45, 105, 190],
  [248, 130, 35, 220],
  [255, 230, 95, 235],
];

/** A map as a canvas of one pixel per cell; the browser interpolates when it scales it up. */
export function heatMapOf(grid) {
  const canvas = element("canvas", { width: grid.columns, height: grid.rows });
  paintHeat(canvas, grid);
  return canvas;
}

function paintHeat(canvas, grid) {
  Object.assign(canvas, { width: grid.columns, height: grid.rows });
  const image = new ImageData(grid.columns, grid.rows),
    top = Math.max(...grid.levels);
  grid.levels.forEach((level, i) => {
    const place = (grid.flat ? 0 : level / top) ** 0.75 * (RAMP.length - 1),
      low = Math.min(Math.floor(place), RAMP.length - 2);
    for (let k = 0; k < 4; k++)
      image.data[4 * i + k] = RAMP[low][k] + (RAMP[low + 1][k] - RAMP[low][k]) * (place - low);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const rectangle = ({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`;

export function svgElement(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

let drawnGrid = null; // the grid whose heat map and points are displayed

/** What changes only with the picture. */
function drawPicture({ grid, picture }) {
  drawnGrid = grid;
  const { width, height } = grid;
  byId("picture").src = picture.decodable ? picture.url : "";
  byId("picture").hidden = !picture.decodable;
  byId("undecodable").hidden = picture.decodable;
  byId("undecodable").textContent = picture.decodable
    ? ""
    : "Your browser cannot show this format correctly. The map and the boxes are correct nevertheless.";
  byId("stage").style.aspectRatio = `${width} / ${height}`;
  byId("stage").style.setProperty("--wide", width / height);
  byId("boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
  paintHeat(byId("heat"), grid);
  byId("points").replaceChildren(
    ...grid.points.map(({ x, y, score }) => {
      const dot = element("i", { textContent: score.toFixed(2).replace(/^0/, "") });
      dot.style.left = `${100 * x}%`;
      dot.style.top = `${100 * y}%`;
      return dot;
    }),
  );
  const lines = [];
  for (let i = 1; i < grid.columns; i++) lines.push(`M${(i * width) / grid.columns} 0v${height}`);
  for (let i = 1; i < grid.rows; i++) lines.push(`M0 ${(i * height) / grid.rows}h${width}`);
  byId("grid").replaceChildren(svgElement("path", { d: lines.join("") }));
}

function draw(state) {
  const { grid } = state;
  if (grid !== drawnGrid) drawPicture(state);
  const { box } = cropOf(state.ratio);
  byId("dim").setAttribute("d", rectangle({ x: 0, y: 0, width: grid.width, height: grid.height }) + rectangle(box));
  for (const [name, value] of Object.entries(box)) byId("current").setAttribute(name, value);
  const others = byId("show-others").checked
    ? state.ratios.map((ratio) => svgElement("path", { d: rectangle(cropOf(ratio).box) }))
    : [];
  byId("others").replaceChildren(...others);
  byId("marks").replaceChildren(
    ...state.constraints.map((mark) =>
      svgElement("path", {
        class: mark.kind,
        d: rectangle({
          x: mark.x * grid.width,
          y: mark.y * grid.height,
          width: mark.width * grid.width,
          height: mark.height * grid.height,
        }),
      }),
    ),
  );
}

/** Opacity of the heat map, 0 to 1. */
export const opacity = () => (byId("show-heat").checked ? byId("opacity").value / 100 : 0);

function showLayers() {
  byId("heat").style.opacity = opacity();
  byId("heat").classList.toggle("cells", byId("show-grid").checked);
  byId("points").hidden = !byId("show-points").checked;
  byId("grid").setAttribute("visibility", byId("show-grid").checked ? "visible" : "hidden");
  if (state.grid) draw(state);
}

for (const id of ["show-heat", "opacity", "show-points", "show-others", "show-grid"])
  byId(id).addEventListener("input", showLayers);
showLayers();
onChange(draw);
