// Crops by sharp and smartcrop.js, for bench_peers.py: a line of JSON in, a line of JSON out.
//
// In: {"file": PATH, "ratios": [[width, height], ...]}, crops in pixels of the file. Out: {"boxes": {NAME: [[x, y, width,
// height], ...]}, "cpu": {NAME: seconds}}. First line out: the versions.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import sharp from "sharp";
import smartcrop from "smartcrop";

const require = createRequire(import.meta.url);
sharp.cache(false);
sharp.concurrency(1);

// smartcrop.js works on any image library through three functions.
const operations = {
  async open(file) {
    const { width, height } = await sharp(file).metadata();
    return { width, height, image: sharp(file) };
  },
  async resample({ image }, width, height) {
    const size = { width: Math.round(width), height: Math.round(height) };
    return { ...size, image: image.resize({ ...size, fit: "fill" }) };
  },
  async getData({ image }) {
    const { data, info } = await image.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  },
};

async function attention(file, [width, height]) {
  const { info } = await sharp(file).resize(width, height, { fit: "cover", position: "attention" }).toBuffer({ resolveWithObject: true });
  return [-info.cropOffsetLeft, -info.cropOffsetTop, width, height];
}

async function smart(file, [width, height]) {
  const { topCrop } = await smartcrop.crop(file, { width, height, imageOperations: operations });
  return [topCrop.x, topCrop.y, topCrop.width, topCrop.height];
}

const croppers = { "sharp attention": attention, "smartcrop.js": smart };
console.log(
  JSON.stringify({
    "sharp attention": `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`,
    "smartcrop.js": `smartcrop ${require("smartcrop/package.json").version}`,
  }),
);
for await (const line of createInterface({ input: process.stdin })) {
  const { file, ratios } = JSON.parse(line),
    boxes = {},
    cpu = {};
  for (const [name, crop] of Object.entries(croppers)) {
    const start = process.cpuUsage();
    boxes[name] = [];
    for (const size of ratios) boxes[name].push(await crop(file, size));
    const used = process.cpuUsage(start);
    cpu[name] = (used.user + used.system) / 1e6;
  }
  console.log(JSON.stringify({ boxes, cpu }));
}
