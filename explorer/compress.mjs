// Writes a .gz and a .br beside each file of the built page that gets smaller by it: the server sends those as they are.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = process.argv[2];
const texts = /\.(css|html|js|json|mjs|svg)$/;
const packers = {
  ".gz": (plain) => gzipSync(plain, { level: 9 }),
  ".br": (plain) => brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }),
};

for (const name of readdirSync(folder, { recursive: true })) {
  const path = join(folder, name);
  if (!texts.test(path) || name.startsWith(".") || !statSync(path).isFile()) continue;
  const plain = readFileSync(path);
  for (const [ending, pack] of Object.entries(packers)) {
    rmSync(path + ending, { force: true });
    const packed = pack(plain);
    if (plain.length >= 1024 && packed.length < plain.length) writeFileSync(path + ending, packed);
  }
}
