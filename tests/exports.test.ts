import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (file: string) => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'));

it('the compiler reads the sources for every part of the package, not an old build', () => {
  const { exports } = read('package.json') as { exports: Record<string, { default: string }> };
  const { paths } = read('tsconfig.json').compilerOptions as { paths: Record<string, string[]> };
  const expected = Object.entries(exports).map(([subpath, { default: file }]) => [
    `whittle-nn${subpath.slice(1)}`,
    [file.replace('./dist/', './src/').replace(/\.js$/, '.ts')],
  ]);
  expect(Object.entries(paths)).toEqual(expected);
  for (const [file] of Object.values(paths))
    expect(existsSync(new URL(`../${file}`, import.meta.url))).toBe(true);
});
