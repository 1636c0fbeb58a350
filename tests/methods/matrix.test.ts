import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { combine, findMethod, readMethod } from '../../src/methods/registry.js';
import { Random } from '../../src/random/random.js';
import { prepareNetwork } from '../../src/train/index.js';
import { NAMES, outcomeOf, teacherFile, textOf, transformer } from './matrix.js';

let folder: string;
let texts: ReadonlyMap<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-matrix-'));
  const { bytes, hidden } = teacherFile();
  const path = join(folder, 'teacher.onnx');
  await writeFile(path, bytes);
  texts = new Map(NAMES.map(name => [name, textOf(name, { path, hidden })]));
});
afterAll(() => rm(folder, { recursive: true }));

type Pair = readonly [string, string];
const pairs: readonly Pair[] = NAMES.flatMap((first, i) =>
  NAMES.slice(i).map(second => [first, second] as const),
);
const familiesOf = (pair: Pair): string => pair.map(name => findMethod(name).family).join(' with ');

/** Pairs that may train together, known once all have been asked. */
const allowed: Pair[] = [];

it('every two methods prepare one network, or are refused by name with a way out', async () => {
  for (const pair of pairs) {
    try {
      const methods = await combine(pair.map(name => readMethod(texts.get(name)!)));
      prepareNetwork(transformer(), methods);
      allowed.push(pair);
    } catch (error) {
      expect(error, pair.join(' and ')).toBeInstanceOf(WhittleError);
      const { message, hint } = error as WhittleError;
      for (const name of pair) expect(message).toMatch(new RegExp(`(^|\\W)${name}\\W`));
      expect(hint).toMatch(/Leave|leave/);
    }
  }
  expect(allowed.length).toBeGreaterThan(pairs.length / 3);
  // Each method goes with others.
  expect(new Set(allowed.flat()).size).toBe(NAMES.length);
});

/** Needs texts that have no classes; `distillation/sequences.test.ts` trains with it. */
const LANGUAGE_ONLY = 'sequence-level';

/** One pair of each two families, and one with each method, drawn with a fixed seed. */
function sample(): Pair[] {
  const random = new Random(11);
  const trained = allowed.filter(pair => !pair.includes(LANGUAGE_ONLY));
  const order = [...random.permutation(trained.length)].map(i => trained[i]!);
  const chosen: Pair[] = [];
  const families = new Set<string>();
  const seen = new Set<string>();
  const take = (wanted: (newFamilies: boolean, newNames: number) => boolean): void => {
    for (const pair of order) {
      if (!wanted(!families.has(familiesOf(pair)), pair.filter(name => !seen.has(name)).length)) continue;
      families.add(familiesOf(pair));
      for (const name of pair) seen.add(name);
      chosen.push(pair);
    }
  };
  // Those that bring most first, so that there are few.
  take((newFamilies, newNames) => newFamilies && newNames === 2);
  take((newFamilies, newNames) => newFamilies || newNames === 2);
  take((_, newNames) => newNames > 0);
  return chosen;
}

it('two methods that go together train, and the file computes what they trained', async () => {
  const chosen = sample();
  expect(new Set(chosen.flat()).size).toBe(NAMES.length - 1);
  for (const pair of chosen) {
    const outcome = await outcomeOf(pair.map(name => texts.get(name)!));
    if ('refused' in outcome) throw new Error(pair.join(' and '), { cause: outcome.refused });
    // Binary inputs that are almost 0 may fall to the other side.
    expect(outcome.apart, pair.join(' and ')).toBeLessThan(1e-3);
  }
}, 120_000);
