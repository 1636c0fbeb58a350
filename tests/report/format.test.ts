import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  brief,
  formatBytes,
  formatCosine,
  formatCount,
  formatDifference,
  formatDuration,
  formatNumber,
  formatPair,
  formatPercent,
  formatShape,
  printable,
  shorten,
} from '../../src/report/format.js';

/** Strings of any UTF-16 code units, lone surrogates included. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map(codes => String.fromCharCode(...codes));

describe('formats', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [10_812_345, '10.8 MB'],
    [3.2e9, '3.20 GB'],
  ])('bytes %d as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0, '0%'],
    [1, '100%'],
    [0.268, '26.8%'],
    [0.00421, '0.42%'],
    [0.00001, '<0.01%'],
    [0.99996, '>99.99%'],
    [0.9996, '99.96%'],
    [Number.NaN, 'not a number'],
  ])('ratio %d as %s', (ratio, text) => expect(formatPercent(ratio)).toBe(text));

  it.each([
    [1, '1'],
    [0.9979, '0.9979'],
    [0.98, '0.980'],
    [0.9999998, '0.99999980'],
    [-0.5, '−0.500'],
  ])('cosine %d as %s', (cosine, text) => expect(formatCosine(cosine)).toBe(text));

  it.each([
    [0.42, '0.420 ms'],
    [12.34, '12.3 ms'],
    [999.7, '1.00 s'],
    [125_000, '2 min 5 s'],
    [3_840_000, '1 h 4 min'],
  ])('%d milliseconds as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('shows counts, numbers, differences and pairs', () => {
    expect(formatCount(1234)).toBe('1,234');
    expect(formatCount(2_690_417)).toBe('2.69 M');
    expect(formatNumber(-0.02491)).toBe('−0.02491');
    expect(formatNumber(1.5e-7)).toBe('1.50e-7');
    expect(formatDifference(71.0 - 71.5)).toBe('−0.5');
    expect(formatDifference(0.1 + 0.2 - 0.3)).toBe('±0');
    expect(formatPair(71.5, 71)).toEqual(['71.5', '71.0']);
    expect(brief('5.00%')).toBe('5%');
    expect(brief('2.50 MB')).toBe('2.5 MB');
    expect(brief('100%')).toBe('100%');
    expect(formatShape([null, 3, 'width'])).toBe('? × 3 × width');
    expect(formatShape([])).toBe('scalar');
  });

  it('never says that two different files have 100% or 0%', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-12, max: 1 - 1e-12, noNaN: true }), ratio => {
        expect(formatPercent(ratio)).not.toBe('100%');
        expect(formatPercent(ratio)).not.toBe('0%');
      }),
    );
  });

  it('keeps bytes within half a unit of the last shown digit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 2 ** 50 }), bytes => {
        const [, number, unit] = /^([\d.]+) (k|M|G|T)B$/.exec(formatBytes(bytes)) ?? [];
        const shown = Number(number) * { k: 1e3, M: 1e6, G: 1e9, T: 1e12 }[unit as 'k'];
        expect(Math.abs(shown - bytes)).toBeLessThanOrEqual(0.0051 * bytes);
      }),
    );
  });

  it('takes the power over terminals and reading order from names', () => {
    fc.assert(
      fc.property(anyText, text => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cs}\u202e\u2066]/u);
      }),
    );
    expect(printable('conv\u001b[2J')).toBe('conv\ufffd[2J');
  });

  it('shortens in the middle', () => {
    expect(shorten('encoder.layer.11.weight', 11)).toBe('encod…eight');
    expect(shorten('short', 11)).toBe('short');
  });
});
