import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { METHODS, PAGES } from '../../src/methods/registry.js';

/** Rows “setting, default, of which methods, why” of a page's table, as `method.setting=default`. */
function documented([family, page]: readonly [string, string]): string[] {
  const text = readFileSync(fileURLToPath(new URL(`../../${page}`, import.meta.url)), 'utf8');
  const [, table] = /^\| setting .*\n\| -.*\n((?:\|.*\n)+)/m.exec(text) ?? [];
  return table!
    .trimEnd()
    .split('\n')
    .flatMap(row => {
      const [, setting, fallback, of] = row.split('|').map(cell => cell.trim());
      const names = [...of!.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!);
      const others = METHODS.filter(method => method.family === family && !names.includes(method.name));
      const owners = of!.startsWith('all') ? others.map(({ name }) => name) : names;
      return owners.map(name => `${name}.${setting!.replaceAll('`', '')}=${fallback}`);
    });
}

it('each setting stands on the page of its family with its default, and none that there is not', () => {
  const expected = METHODS.flatMap(({ name, settings }) =>
    Object.entries(settings).map(([setting, { fallback }]) => `${name}.${setting}=${String(fallback)}`),
  );
  expect(Object.entries(PAGES).flatMap(documented).sort()).toEqual(expected.sort());
});
