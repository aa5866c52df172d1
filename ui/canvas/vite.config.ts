import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Two ES modules that Streamlit pages load by a route of ours. File names have no hashes, so that
// the checked-in bundle changes only where its content does.
export default defineConfig({
  plugins: [react()],
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir: "bundle",
    emptyOutDir: true,
    cssCodeSplit: true,
    target: "es2022",
    rollupOptions: {
      input: { composer: "src/composer/index.tsx", map: "src/map/index.tsx" },
      preserveEntrySignatures: "strict",
      output: {
        format: "es",
        entryFileNames: "[name].js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
  test: { environment: "jsdom" },
} as never);
