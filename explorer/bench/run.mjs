/** Builds the page of the bench, opens it in Chromium and prints one line of JSON for each case: node run.mjs ROUNDS LIBRARY:COUNT... */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";

const FRAMES = 60;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const [rounds, ...cases] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), "meshline-bench-page-"));
await build({ root: import.meta.dirname, logLevel: "error", build: { outDir: folder, emptyOutDir: true, target: "es2022" } });
const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  const name = path === "/" ? "/index.html" : path;
  try {
    response.setHeader("Content-Type", TYPES[extname(name)] ?? "application/octet-stream");
    response.end(await readFile(join(folder, name)));
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${server.address().port}/`;
const root = process.getuid?.() === 0 ? ["--no-sandbox"] : []; // Chromium refuses its sandbox to root
const browser = await chromium.launch({
  executablePath: process.env.MESHLINE_CHROMIUM ?? "/usr/bin/chromium",
  args: [...root, "--disable-gpu", "--enable-precise-memory-info"],
});
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
try {
  for (const one of cases) {
    const [library, count] = one.split(":");
    const found = [];
    for (let round = 0; round < Number(rounds); round++) {
      const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
      await page.goto(`${address}?library=${library}&count=${count}`);
      await page.waitForFunction(() => window.bench, null, { timeout: 180_000 });
      const session = await page.context().newCDPSession(page);
      // By the clock of the thread, so that what else the machine does is not counted.
      await session.send("Performance.enable", { timeDomain: "threadTicks" });
      const busy = async () => {
        const { metrics } = await session.send("Performance.getMetrics");
        return metrics.find((metric) => metric.name === "TaskDuration").value * 1000;
      };
      const result = await page.evaluate(() => ({ first: window.bench.first, layout: window.bench.layout }));
      for (const [name, zoom] of [
        ["near", 1],
        ["mid", 0.3],
        ["fit", "fit"],
      ]) {
        await page.evaluate(() => window.bench.drawScript());
        const before = await busy();
        const lengths = await page.evaluate(([wanted, frames]) => window.bench.move(wanted, frames), [zoom, FRAMES]);
        result[`${name} busy`] = ((await busy()) - before) / lengths.length;
        lengths.sort((a, b) => a - b);
        result[`${name} p95`] = at(lengths, 0.95);
        result[`${name} fps`] = (1000 * lengths.length) / lengths.reduce((sum, length) => sum + length, 0);
        const scripts = await page.evaluate(() => window.bench.drawScript());
        if (scripts)
          result[`${name} script`] = at(
            scripts.sort((a, b) => a - b),
            0.5,
          );
      }
      result.heap = (await page.evaluate(() => performance.memory.usedJSHeapSize)) / 1e6;
      found.push(result);
      await page.close();
    }
    // The middle of the rounds, figure by figure: one disturbed round changes nothing.
    const middle = Object.fromEntries(
      Object.keys(found[0]).map((key) => [
        key,
        at(
          found.map((one) => one[key]).sort((a, b) => a - b),
          0.5,
        ),
      ]),
    );
    console.log(JSON.stringify({ library, count: Number(count), ...middle }));
  }
} finally {
  await browser.close();
  server.close();
  await rm(folder, { recursive: true, force: true });
}
