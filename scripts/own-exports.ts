import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Alias } from 'vite';

/** Examples import the package by its name: inside the repository that means the sources. */
export function ownExports(): Alias[] {
  const root = new URL('../', import.meta.url);
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    exports: Record<string, { default: string }>;
  };
  return Object.entries(exports).map(([subpath, { default: file }]) => ({
    find: new RegExp(`^whittle-nn${subpath.slice(1)}$`),
    replacement: fileURLToPath(new URL(file.replace('./dist/', './src/').replace(/\.js$/, '.ts'), root)),
  }));
}
