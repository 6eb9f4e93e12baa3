import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** `npm run dev` sends the API's routes to the service that `make up` started. */
const SERVICE = "http://localhost:8080";
const ROUTES = ["/api", "/login", "/logout", "/refresh", "/admin", "/openapi.json", "/docs", "/health"];

/** The console, or with `--mode docs` the page at /docs: two builds, so that neither's first load has more files. */
export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, SERVICE])) },
  build: {
    outDir: "../build/console",
    emptyOutDir: mode !== "docs",
    target: "es2023",
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: URLs
    rolldownOptions: { input: mode === "docs" ? "docs.html" : "index.html" },
    chunkSizeWarningLimit: 1600, // kB; Swagger UI is one file
    modulePreload: { polyfill: false }, // the polyfill would be an inline script
  },
}));
