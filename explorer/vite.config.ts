import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const server = process.env.MESHLINE_SERVER ?? "http://127.0.0.1:8080";

/** GraphiQL's style sheet has fonts as data: addresses, 400 kB that the policy refuses. Its users' own fonts follow in its lists. */
const withoutFonts: Plugin = {
  name: "without-fonts",
  enforce: "pre",
  transform: (code, id) => (id.includes("/graphiql/") && id.endsWith(".css") ? code.replace(/@font-face\s*\{[^}]*\}/g, "") : undefined),
};

export default defineConfig(({ command }) => ({
  base: command === "build" ? "/explorer/" : "/",
  plugins: [react(), withoutFonts],
  // GraphiQL's packages add <style> elements, which the page's Content-Security-Policy refuses.
  resolve: { alias: { "react-style-singleton": fileURLToPath(new URL("src/graphiql/style_singleton.ts", import.meta.url)) } },
  build: {
    outDir: "../meshline/explorer_page",
    emptyOutDir: true,
    target: "es2022",
    manifest: true, // the budget and the server read which files belong to the first page
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: "index.html", graphiql: "graphiql.html" } },
  },
  worker: { format: "es" },
  server: { proxy: { "/graphql": server, "/api": server } },
}));
