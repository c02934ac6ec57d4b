/** The example pictures: photographs that set-up installed (examples/index.json), and two that are drawn here. */

const DRAWN = [
  { title: "A kite, drawn", draw: kite },
  { title: "A poster, drawn", draw: poster },
];

/** @param {HTMLElement} list @param {(load: () => Promise<Blob>, name: string) => void} select runs on a click */
export async function show(list, select) {
  const add = (title, name, thumbnail, load) => {
    const button = document.createElement("button"),
      item = document.createElement("li");
    button.type = "button";
    button.title = title;
    button.append(thumbnail);
    button.addEventListener("click", () => select(load, name));
    item.append(button);
    list.append(item);
  };
  for (const { file, thumb, title } of await photographs()) {
    const image = new Image();
    image.src = `examples/${thumb ?? file}`;
    image.alt = title;
    add(title, file, image, async () => {
      const answer = await fetch(`examples/${file}`).catch(() => null);
      if (!answer?.ok) throw new Error("This example could not be loaded. Try again later.");
      return answer.blob();
    });
  }
  for (const { title, draw } of DRAWN) {
    const small = paint(draw, 160, 107);
    small.role = "img";
    small.ariaLabel = title;
    add(title, `${draw.name}.png`, small, () => new Promise((done) => paint(draw, 1200, 800).toBlob(done, "image/png")));
  }
}

/** The photographs' index; empty where set-up could not install them. */
async function photographs() {
  try {
    const answer = await fetch("examples/index.json");
    return answer.ok ? await answer.json() : [];
  } catch {
    return [];
  }
}

function paint(draw, width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.scale(width / 1200, height / 800);
  draw(context);
  return canvas;
}

/** @param {CanvasRenderingContext2D} c */
function kite(c) {
  const sky = c.createLinearGradient(0, 0, 0, 800);
  sky.addColorStop(0, "#7db4e6");
  sky.addColorStop(0.75, "#d9ecf7");
  c.fillStyle = sky;
  c.fillRect(0, 0, 1200, 800);
  c.fillStyle = "#ffffffb0";
  for (const [x, y, r] of [
    [180, 150, 60],
    [240, 140, 80],
    [320, 160, 55],
    [760, 260, 45],
    [820, 250, 60],
  ]) {
    c.beginPath();
    c.ellipse(x, y, r * 1.5, r * 0.6, 0, 0, 7);
    c.fill();
  }
  c.fillStyle = "#5d8a4a";
  c.beginPath();
  c.moveTo(0, 700);
  c.bezierCurveTo(300, 590, 700, 760, 1200, 630);
  c.lineTo(1200, 800);
  c.lineTo(0, 800);
  c.fill();
  c.strokeStyle = "#44505a";
  c.lineWidth = 3;
  c.beginPath();
  c.moveTo(920, 250);
  c.quadraticCurveTo(700, 560, 300, 640);
  c.stroke();
  for (const [colour, ...points] of [
    ["#d8343a", 940, 130, 1010, 230, 920, 250],
    ["#f2b632", 940, 130, 860, 210, 920, 250],
    ["#b3212e", 1010, 230, 920, 250, 900, 380],
    ["#d99a17", 860, 210, 920, 250, 900, 380],
  ]) {
    c.fillStyle = colour;
    c.beginPath();
    for (let i = 0; i < points.length; i += 2) c.lineTo(points[i], points[i + 1]);
    c.fill();
  }
  c.fillStyle = "#2c3540"; // the person with the kite
  c.fillRect(286, 640, 22, 60);
  c.beginPath();
  c.arc(297, 622, 18, 0, 7);
  c.fill();
}

/** @param {CanvasRenderingContext2D} c */
function poster(c) {
  c.fillStyle = "#efe7d8";
  c.fillRect(0, 0, 1200, 800);
  c.fillStyle = "#20324a";
  c.fillRect(0, 560, 1200, 240);
  for (let i = 0; i < 9; i++) {
    c.fillStyle = i % 2 ? "#2b4364" : "#35537b";
    c.fillRect(40 + i * 130, 560 - ((i * 67) % 150) - 60, 90, 210 + ((i * 67) % 150));
  }
  c.fillStyle = "#e0552b";
  c.beginPath();
  c.arc(330, 270, 150, 0, 7);
  c.fill();
  c.fillStyle = "#20324a";
  c.font = "700 92px Georgia, serif";
  c.fillText("Harbour", 600, 240);
  c.fillText("Concert", 600, 340);
  c.font = "36px Georgia, serif";
  c.fillText("Every Friday at nine", 604, 410);
}
