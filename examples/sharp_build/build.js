// build.js OUT FILE... < documents: cuts each file by its document, a line of JSON from `gazecrop crop --json`.
import { mkdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { createInterface } from "node:readline";
import sharp from "sharp";
import { cropOf, cut } from "gazecrop-sharp";

const [out, ...files] = process.argv.slice(2);
await mkdir(out, { recursive: true });
for await (const line of createInterface({ input: process.stdin })) {
  const document = JSON.parse(line);
  const file = files.shift();
  for (const ratio of ["16:9", "1:1"]) {
    for (const width of [400, 800]) {
      const name = `${basename(file, extname(file))}-${ratio.replace(":", "x")}-${width}.webp`;
      const { width: wide, height } = await cut(sharp(file), cropOf(document, ratio), { width }).toFile(join(out, name));
      console.log(`${name} ${wide}x${height}`);
    }
  }
}
