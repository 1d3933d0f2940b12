import { svelte } from '@sveltejs/vite-plugin-svelte'
import { svelteTesting } from '@testing-library/svelte/vite'
import { defineConfig } from 'vitest/config'

// Where `npm run dev` finds the backend: the address that `wassette ui --no-browser` printed.
const backend = process.env.WASSETTE_WINDOW ?? 'http://127.0.0.1:7001'

export default defineConfig({
  plugins: [svelte(), svelteTesting()],
  resolve: { alias: { '$lib': new URL('./src/lib', import.meta.url).pathname } },
  build: {
    outDir: process.env.WASSETTE_UI_OUT ?? '../backend/wassette/window/static',
    emptyOutDir: true,
    target: ['chrome111', 'firefox114', 'safari16.4'],
    // The content security policy has no data: for scripts, styles and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: 'manifest.json',
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/events', '/open'].map((path) => [
        path,
        { target: backend, changeOrigin: true, headers: { origin: backend } },
      ]),
    ),
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    setupFiles: [],
  },
})
