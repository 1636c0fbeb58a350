import { describe, expect, it } from 'vitest';
import { defineMethod, type Family, type MethodEntry } from '../../src/methods/entry.js';
import { combine, METHODS, readMethod } from '../../src/methods/registry.js';
import { number, type TrainingMethod } from '../../src/train/index.js';

const fake = (name: string, family: Family, method: Partial<TrainingMethod>): MethodEntry =>
  defineMethod({
    name,
    family,
    summary: name,
    paper: { title: name, authors: 'N. N.', year: 2000, url: 'https://example.org' },
    settings: { strength: number(1) },
    create: () => ({ name, ...method }),
  });

const layerClaim = { of: () => [], accepts: ['dense'], gives: 'factors' } as const;
const FAKES = [
  fake('teacher', 'distillation', { claims: ['the teacher'] }),
  fake('snapshots', 'distillation', { moment: at => at }),
  fake('factors', 'factorized', { layerClaim }),
  ...METHODS,
];
const combined = async (...texts: string[]): Promise<string[]> =>
  (await combine(texts.map(text => readMethod(text, FAKES)))).map(({ name }) => name);

describe('methods combine', () => {
  it('in the order in which they act', async () => {
    expect(await combined('teacher', 'rigl', 'factors')).toEqual(['factors', 'rigl', 'teacher']);
    expect(await combined('mutual', 'lsq', 'l1', 'hashed', 'cross-layer', 'low-rank')).toEqual([
      'low-rank',
      'cross-layer',
      'hashed',
      'lsq',
      'l1',
      'mutual',
    ]);
    expect(await combined()).toEqual([]);
  });

  it.each([
    [['rigl', 'set'], /rigl and set do not combine: both decide the masks/],
    [['rigl', 'rigl'], /rigl and rigl do not combine/],
    [['lottery', 'snapshots'], /both decide the schedule/],
    [['lottery', 'hybrid'], /both decide the masks/],
    [['rigl', 'dorefa'], /both decide the masks/],
    [['low-rank', 'overcomplete'], /both decide the decay of factors/],
  ])('not %s', async (names, message) => {
    await expect(combined(...names)).rejects.toThrow(message);
  });
});

describe('a method in words', () => {
  it('has its settings, and defaults for the rest', () => {
    const { entry, values } = readMethod('rigl:density=0.25,spread=uniform');
    expect(entry.name).toBe('rigl');
    expect(values).toMatchObject({
      density: 0.25,
      spread: 'uniform',
      interval: 100,
      fraction: 0.3,
      stop: 0.75,
    });
    expect(readMethod('rigl').values).toMatchObject({ density: 0.1 });
  });

  it.each([
    ['riggle', /no method "riggle".*There are .*magnitude, .*rigl/],
    ['rigl:dnsity=1', /the method rigl has no setting "dnsity".*density, counted/],
    ['rigl:density=2', /density cannot be "2".*--method rigl:density=0\.1/],
  ])('or an error: %s', (text, message) => {
    expect(() => readMethod(text)).toThrow(message);
  });
});
