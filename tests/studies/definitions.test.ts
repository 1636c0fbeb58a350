import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { asStudy, type Study } from '../../src/study/define.js';

const folder = fileURLToPath(new URL('../../docs/studies', import.meta.url));
const names = readdirSync(folder).filter(name => existsSync(join(folder, name, 'study.ts')));

// The first import compiles all that studies use.
it.each(names)('%s makes sense', { timeout: 120_000 }, async name => {
  const file = join(folder, name, 'study.ts');
  const { default: study } = (await import(file)) as { default: Study };
  expect(asStudy(study, file)).toBe(study);
  // Told in tables and, behind a colon, in sentences.
  for (const { says } of study.claims ?? []) expect(says).not.toMatch(/[.!]$/);
});

it('finds the studies', () => {
  expect(names.length).toBeGreaterThanOrEqual(11);
});
