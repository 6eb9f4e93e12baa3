import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** `npm run dev` sends the API's routes to the service that `make up` started. */
const SERVICE = "http://localhost:8080";
const ROUTES = ["/api", "/login", "/logout", "/refresh", "/admin", "/openapi.json", "/docs", "/health"];

export default defineConfig({
  plugins: [svelte()],
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, SERVICE])) },
  build: {
    outDir: "../build/console",
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: URLs
    modulePreload: { polyfill: false }, // the polyfill would be an inline script
  },
});
