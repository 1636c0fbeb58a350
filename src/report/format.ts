/**
 * How numbers and names are written, on pages and in the terminal. Sizes are decimal: 1 MB is 10⁶ bytes, as
 * download sizes are given. English, three significant digits unless a formatter says otherwise.
 */

/** What `formatBytes` means by its units; every page that shows sizes says so. */
export const BYTES_NOTE = '1 MB is 10⁶ bytes.';

const MINUS = '−';

/** `812 B`, `27.0 kB`, `10.8 MB`, `3.21 GB`. */
export function formatBytes(bytes: number): string {
  if (Math.abs(bytes) < 1000) return `${bytes} B`;
  return scaled(bytes, ['B', 'kB', 'MB', 'GB', 'TB']);
}

/** `812`, `2.69 M`. */
export function formatCount(count: number): string {
  if (Math.abs(count) < 10_000) return count.toLocaleString('en');
  return scaled(count, ['', 'k', 'M', 'G', 'T']);
}

function scaled(value: number, units: readonly string[]): string {
  let power = Math.min(units.length - 1, Math.floor(Math.log10(Math.abs(value)) / 3));
  // 999 999 rounds to 1000 k, which is 1 M.
  if (Math.abs(value) / 1000 ** power >= 999.5 && power < units.length - 1) power++;
  return `${significant(value / 1000 ** power)} ${units[power]}`;
}

/** A ratio as percent: `26.8%`, `0.42%`; a non-zero ratio never reads as 0%, nor one below 1 as 100%. */
export function formatPercent(ratio: number): string {
  if (!Number.isFinite(ratio)) return formatOdd(ratio);
  const percent = ratio * 100;
  if (percent !== 0 && Math.abs(percent) < 0.01) return `${percent < 0 ? `${MINUS}` : ''}<0.01%`;
  if (percent < 100 && percent >= 99.95) return percent >= 99.995 ? '>99.99%' : `${percent.toFixed(2)}%`;
  // Hundredths of a percent are as fine as anybody needs.
  return Math.abs(percent) < 1
    ? percent === 0
      ? '0%'
      : minus(`${percent.toFixed(2)}%`)
    : `${significant(percent)}%`;
}

/** `0.42 ms`, `12.3 ms`, `4.20 s`, `2 min 5 s`, `1 h 4 min`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return formatOdd(ms);
  if (ms < 999.5) return `${significant(ms)} ms`;
  if (ms < 59_950) return `${significant(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * A cosine near 1, with as many digits as it takes to see that it is not 1: `0.98`, `0.9979`, `0.9999998`.
 * Only exact agreement reads `1`.
 */
export function formatCosine(cosine: number): string {
  if (!Number.isFinite(cosine)) return formatOdd(cosine);
  const missing = 1 - cosine;
  if (missing <= 1e-9) return '1';
  const digits = Math.min(9, Math.max(3, Math.ceil(-Math.log10(missing)) + 1));
  return minus(cosine.toFixed(digits));
}

/** A score or another plain number: four significant digits, no needless zeros. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return formatOdd(value);
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) return minus(value.toExponential(2));
  return minus(Number(value.toPrecision(4)).toLocaleString('en', { maximumFractionDigits: 6 }));
}

/** Two numbers to compare, with equally many decimals: `71.5` and `71.0`. */
export function formatPair(a: number, b: number): [string, string] {
  const texts = [formatNumber(a), formatNumber(b)] as const;
  if (texts.some(text => /[^\d.,−]/.test(text))) return [...texts];
  const decimals = Math.max(...texts.map(text => text.split('.')[1]?.length ?? 0));
  const fixed = (value: number) =>
    minus(value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  return [fixed(a), fixed(b)];
}

/** Drops zeros behind the decimal point that a tick or a limit does not need: `5.00%` to `5%`. */
export const brief = (text: string): string => text.replace(/(\.\d*?)0+(?!\d)/, '$1').replace(/\.(?!\d)/, '');

/** A difference with its sign: `+0.002`, `−1.5`, `±0`. */
export function formatDifference(difference: number): string {
  // Subtracting scores leaves digits that neither score has.
  const rounded = Number(difference.toPrecision(6));
  if (Math.abs(rounded) < 1e-12) return '±0';
  return rounded > 0 ? `+${formatNumber(rounded)}` : formatNumber(rounded);
}

/** `512 × 120 × 1 × 1`; a symbolic dimension by its name, an unknown one as `?`. */
export const formatShape = (shape: readonly (number | string | null)[]): string =>
  shape.length === 0 ? 'scalar' : shape.map(dim => printable(String(dim ?? '?'))).join(' × ');

/** `1 layer`, `12 layers`. */
export const plural = (count: number, noun: string): string =>
  `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

/**
 * Text from a model file made safe to look at: control characters (a terminal would obey them), lone surrogates
 * and direction overrides become �.
 */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');

/** At most `length` characters, the middle left out: node names differ at both ends. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) return text;
  const tail = Math.ceil((length - 1) / 2);
  return `${text.slice(0, Math.max(0, length - 1 - tail))}…${text.slice(text.length - tail)}`;
}

const significant = (exact: number): string => {
  if (exact === 0) return '0';
  // Rounded first: 0.9999 has one digit before the point.
  const value = Number(exact.toPrecision(3));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return minus(value.toFixed(Math.min(digits, 4)));
};

const minus = (text: string): string => text.replace(/^-/, MINUS);

const formatOdd = (value: number): string =>
  Number.isNaN(value) ? 'not a number' : value > 0 ? '∞' : `${MINUS}∞`;
