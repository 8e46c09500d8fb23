// Fails if the page has grown beyond the limits of package.json: kB of gzip, of what `npm run build` wrote.
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const folder = new URL("../meshline/explorer_page/", import.meta.url);
const limits = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")).budget;
const manifestFile = new URL(".vite/manifest.json", folder);
if (!existsSync(manifestFile)) {
  console.error("budget: there is no built page: npm run build");
  process.exit(1);
}
const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));

/** The files that one entry loads: at once, or (`lazy`) also later. */
function collectFiles(key, lazy, found = new Set(), seen = new Set()) {
  if (seen.has(key)) return found;
  seen.add(key);
  const chunk = manifest[key];
  for (const file of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) found.add(file);
  for (const next of [...(chunk.imports ?? []), ...(lazy ? (chunk.dynamicImports ?? []) : [])]) collectFiles(next, lazy, found, seen);
  return found;
}

const measure = (files) =>
  [...files].reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, folder)), { level: 9 }).length, 0) / 1000;
const sizes = { first: measure(collectFiles("index.html", false)), all: measure(collectFiles("index.html", true)) };
let failed = false;
for (const [name, limit] of Object.entries(limits)) {
  const over = sizes[name] > limit;
  failed ||= over;
  console.log(
    `budget: ${name === "first" ? "first page" : "all of the page"} ${sizes[name].toFixed(1)} kB of ${limit} kB${over ? ": too large" : ""}`,
  );
}
process.exit(failed ? 1 : 0);
