import { expect, it } from 'vitest';
import { METHODS } from '../../src/methods/index.js';
import { whittle } from './capture.js';

it('lists all methods', async () => {
  const { code, out } = await whittle(['methods']);
  expect(code).toBe(0);
  for (const { name } of METHODS) expect(out).toMatch(new RegExp(`^${name} `, 'm'));
});

it('tells of one: paper and settings', async () => {
  const { out } = await whittle(['methods', 'rigl']);
  expect(out).toMatch(/Evci.*2020.*arxiv\.org\/abs\/1911\.11134/);
  expect(out).toMatch(/^page +docs\/methods-from-scratch\/sparse\.md$/m);
  expect(out).toMatch(/^density=0\.1 .*number from 0\.000001 to 1/m);
});

it('as JSON', async () => {
  const all = JSON.parse((await whittle(['methods', '--json'])).out);
  expect(all).toHaveLength(METHODS.length);
  const one = JSON.parse((await whittle(['methods', 'snip', '--json'])).out);
  expect(one).toMatchObject({
    name: 'snip',
    family: 'sparse',
    paper: { year: 2019 },
    settings: { samples: { default: 128, expects: 'a whole number of at least 1' } },
  });
});

it('says what there is where it knows none of that name', async () => {
  const { code, err } = await whittle(['methods', 'prune']);
  expect(code).toBe(1);
  expect(err).toMatch(/no method "prune"[\s\S]*magnitude/);
});
