import { describe, expect, it } from 'vitest';
import { defineMethod, type Family, type MethodEntry } from '../../src/methods/entry.js';
import { combine, METHODS, readMethod } from '../../src/methods/registry.js';
import { number } from '../../src/train/index.js';

const fake = (name: string, family: Family, claims?: readonly string[]): MethodEntry =>
  defineMethod({
    name,
    family,
    summary: name,
    paper: { title: name, authors: 'N. N.', year: 2000, url: 'https://example.org' },
    settings: { strength: number(1) },
    ...(claims && { claims }),
    create: () => ({ name }),
  });

const FAKES = [
  fake('teacher', 'distillation'),
  fake('snapshots', 'distillation', ['the schedule']),
  fake('factors', 'factorized'),
  fake('blocks', 'structured'),
  ...METHODS,
];
const combined = async (...texts: string[]): Promise<string[]> =>
  (await combine(texts.map(text => readMethod(text, FAKES)))).map(({ name }) => name);

describe('methods combine', () => {
  it('in the order in which they act', async () => {
    expect(await combined('teacher', 'rigl', 'factors')).toEqual(['factors', 'rigl', 'teacher']);
    expect(await combined()).toEqual([]);
  });

  it.each([
    [['rigl', 'set'], /rigl and set do not combine: both decide the masks/],
    [['rigl', 'rigl'], /rigl and rigl do not combine/],
    [['factors', 'blocks'], /both decide the form of the layers/],
    [['lottery', 'snapshots'], /both decide the schedule/],
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
