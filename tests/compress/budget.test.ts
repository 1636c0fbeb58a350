import { describe, expect, it } from 'vitest';
import { parseQuality, parseSize } from '../../src/compress/budget.js';
import { holds } from '../../src/compress/quality.js';

describe('parseSize', () => {
  it.each([
    ['6MB', 6e6],
    ['800 kB', 8e5],
    ['1MiB', 2 ** 20],
    ['25%', 250],
    ['0.5x', 500],
    [123, 123],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text, 1000)).toBe(bytes);
  });

  it.each(['', 'big', '-3MB', '0', '5 TBX', '%'])('refuses %j', text => {
    expect(() => parseSize(text, 1000)).toThrow(/is no size/);
  });

  it('refuses a number that was meant as a share', () => {
    expect(() => parseSize('25', 1000)).toThrow(/Write 25% or 25MB/);
    expect(() => parseSize(0.25, 1000)).toThrow(/Write 0\.25x or 25%/);
  });
});

describe('parseQuality', () => {
  it('reads bounds on agreement with the original', () => {
    expect(parseQuality('cosine=0.995')).toMatchObject({ measure: 'cosine', atLeast: true, value: 0.995 });
    expect(parseQuality('agree>=98%')).toMatchObject({ measure: 'agree', value: 0.98 });
    expect(parseQuality('error=0.05')).toMatchObject({ measure: 'error', atLeast: false, value: 0.05 });
  });

  it('reads bounds on scores, absolute and against the original', () => {
    expect(parseQuality('score.cer<=+0.5')).toMatchObject({
      score: 'cer',
      atLeast: false,
      value: 0.5,
      relative: true,
    });
    expect(parseQuality('score.exact>=-1')).toMatchObject({
      score: 'exact',
      atLeast: true,
      value: -1,
      relative: true,
    });
    expect(parseQuality('score.exact >= 78')).toMatchObject({ value: 78, relative: false });
  });

  it.each([
    ['', /is no bound/],
    ['cosine', /is no bound/],
    ['cosine=x', /is no bound/],
    ['cosine>=-0.1', /Leave the sign out/],
    ['cosine<=0.99', /wrong side.*Write cosine>=0\.99/],
    ['error>=0.1', /wrong side.*Write error<=0\.1/],
    ['agree=98', /cannot hold.*Write agree=98%/],
    ['score.cer=5', /which side of it.*score\.cer<=…/],
    ['nice=1', /is no bound/],
    ['score=3', /is no bound/],
  ])('refuses %j', (text, message) => {
    expect(() => parseQuality(text)).toThrow(message);
  });
});

describe('holds', () => {
  const output = { name: 'y', relativeError: 0.1, cosine: 0.99, cosine5: 0.9, worst: [] };
  const scores = [{ name: 'cer', before: 5, after: 5.4, betterIs: 'lower' as const }];

  it('judges by the worst output', () => {
    const quality = { outputs: [output, { ...output, cosine: 0.5 }], scores };
    expect(holds(parseQuality('cosine=0.9'), quality)).toBe(false);
    expect(holds(parseQuality('error=0.1'), quality)).toBe(true);
  });

  it('counts relative bounds from the original', () => {
    expect(holds(parseQuality('score.cer<=+0.5'), { outputs: [output], scores })).toBe(true);
    expect(holds(parseQuality('score.cer<=+0.3'), { outputs: [output], scores })).toBe(false);
  });

  it('says what is missing', () => {
    expect(() => holds(parseQuality('score.acc>=1'), { outputs: [], scores })).toThrow(/returns cer/);
    expect(() => holds(parseQuality('agree=0.9'), { outputs: [output], scores })).toThrow(/no meaning/);
  });

  it('lets NaN hold nothing', () => {
    const broken = { outputs: [{ ...output, cosine: Number.NaN, relativeError: Number.NaN }], scores };
    expect(holds(parseQuality('cosine=0.1'), broken)).toBe(false);
    expect(holds(parseQuality('error=0.9'), broken)).toBe(false);
  });
});
