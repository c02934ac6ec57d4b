/** A ZIP archive without compression, since pictures are compressed already (APPNOTE.TXT 6.3.3, 4.3.7 to 4.3.16). */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});
const crc = (bytes) => ~bytes.reduce((sum, byte) => (sum >>> 8) ^ TABLE[(sum ^ byte) & 255], -1) >>> 0;

/** Little-endian fields: [bytes, value] each. */
function fields(...list) {
  const view = new DataView(new ArrayBuffer(list.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of list) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return view.buffer;
}

/** @param {{name: string, blob: Blob}[]} files @returns {Promise<Blob>} */
export async function zip(files) {
  const parts = [],
    directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const title = new TextEncoder().encode(name),
      bytes = new Uint8Array(await blob.arrayBuffer());
    // version needed 2.0, flag for names in UTF-8, method "stored", time 0:00, date 1980-01-01
    const common = [
      [2, 20],
      [2, 0x0800],
      [2, 0],
      [2, 0],
      [2, 0x21],
      [4, crc(bytes)],
      [4, bytes.length],
      [4, bytes.length],
      [2, title.length],
      [2, 0],
    ];
    const head = fields([4, 0x04034b50], ...common);
    directory.push(fields([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), title);
    parts.push(head, title, bytes);
    offset += head.byteLength + title.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, files.length],
    [2, files.length],
    [4, size],
    [4, offset],
    [2, 0],
  );
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
