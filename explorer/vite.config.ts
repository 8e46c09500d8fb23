import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.MESHLINE_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig(({ command }) => ({
  base: command === "build" ? "/explorer/" : "/",
  plugins: [react()],
  build: {
    outDir: "../meshline/explorer_page",
    emptyOutDir: true,
    target: "es2022",
    manifest: true, // the budget and the server read which files belong to the first page
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { input: { index: "index.html" } },
  },
  worker: { format: "es" },
  server: { proxy: { "/graphql": server, "/api": server } },
}));
