import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { ownExports } from '../../scripts/own-exports.ts';

/** In a project of your own, that has `whittle-nn` from npm, no configuration is needed. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: { alias: ownExports() },
});
