// Writes a .gz and a .br beside each file of the built page that gets smaller by it: the server sends those as they are.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const folder = process.argv[2];
const texts = /\.(css|html|js|json|mjs|svg)$/;
const packers = {
  ".gz": (plain) => promisify(gzip)(plain, { level: 9 }),
  ".br": (plain) => promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }),
};

async function compress(path, ending) {
  const plain = readFileSync(path);
  rmSync(path + ending, { force: true });
  if (plain.length < 1024) return;
  const packed = await packers[ending](plain);
  if (packed.length < plain.length) writeFileSync(path + ending, packed);
}

const paths = readdirSync(folder, { recursive: true })
  .filter((name) => texts.test(name) && !name.startsWith("."))
  .map((name) => join(folder, name))
  .filter((path) => statSync(path).isFile());
await Promise.all(paths.flatMap((path) => Object.keys(packers).map((ending) => compress(path, ending)))); // in Node's threads
