import { WhittleError } from '../graph/errors.js';

/** What the result must hold; several together must all hold. */
export interface Budget {
  /** Largest file, in bytes or as a share of the original's (`6MB`, `25%`, `0.25x`, a number of bytes). */
  maxSize?: string | number;
  /**
   * Least quality: `cosine=0.995`, `agree=0.98` (share of places with the same top entry), `error=0.05` (relative
   * error of the outputs) or `score.NAME…` of the evaluation: an absolute bound (`score.exact>=78`, `score.cer<=5`) or
   * against the original (`score.cer<=+0.5`, `score.exact>=-1`).
   */
  minQuality?: string | readonly string[];
  /** Longest time of one run against the original's, `0.6x` or `60%`. */
  maxLatency?: string | number;
}

/** Whether anything is asked for. */
export const hasBudget = ({ maxSize, minQuality, maxLatency }: Budget): boolean =>
  maxSize !== undefined || maxLatency !== undefined || (minQuality !== undefined && minQuality.length > 0);

/** A parsed quality bound. */
export interface QualityBound {
  readonly measure: 'cosine' | 'agree' | 'error' | 'score';
  /** Name of the score. */
  readonly score?: string;
  readonly atLeast: boolean;
  readonly value: number;
  /** Counted from the original's score. */
  readonly relative: boolean;
  /** As the user wrote it. */
  readonly text: string;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Less than this without a unit was meant as a share, or as megabytes. */
const LEAST_BYTES = 100;

/** Reads a size. @returns bytes. @throws WhittleError where it is none */
export function parseSize(size: string | number, original: number): number {
  const text = String(size).trim();
  const share = parseShare(text);
  const match = /^([\d.]+)\s*([kmg]?i?b)?$/i.exec(text);
  const bytes =
    share !== undefined
      ? share * original
      : match
        ? Number(match[1]) * UNITS[(match[2] ?? '').toLowerCase()]!
        : Number.NaN;
  if (bytes > 0 && bytes < LEAST_BYTES && /^[\d.]+$/.test(text)) {
    throw new WhittleError(`"${text}" means bytes, and no model has so few`, {
      hint: bytes < 1 ? `Write ${text}x or ${+(100 * bytes).toPrecision(6)}%` : `Write ${text}% or ${text}MB`,
    });
  }
  if (bytes > 0) return Math.floor(bytes);
  throw new WhittleError(`"${text}" is no size`, {
    hint: 'Write it like 6MB, 800kB, 25% or a number of bytes',
  });
}

/** Reads `0.6x` or `60%`. */
export function parseShare(text: string): number | undefined {
  const match = /^([\d.]+)\s*(x|%)$/i.exec(text);
  if (!match) return undefined;
  return match[2] === '%' ? Number(match[1]) / 100 : Number(match[1]);
}

/** Reads a bound on latency as a share of the original's time. @throws WhittleError where it is none */
export function parseLatency(bound: string | number): number {
  const share = typeof bound === 'number' ? bound : parseShare(bound.trim());
  if (share !== undefined && share > 0 && share <= 1) return share;
  throw new WhittleError(`"${bound}" is no bound on latency`, {
    hint: 'Write it as a share of the original’s time, like 0.6x or 60%',
  });
}

/** Reads a bound on quality. @throws WhittleError where it is none */
export function parseQuality(text: string): QualityBound {
  const match = /^\s*(cosine|agree|error|score\.([\w.-]+?))\s*(>=|<=|=)\s*([+-]?)([\d.]+)\s*(%?)\s*$/.exec(
    text,
  );
  const value = match ? Number(match[5]) : Number.NaN;
  if (!match || Number.isNaN(value)) {
    throw new WhittleError(`"${text}" is no bound on quality`, {
      hint: 'Write it like cosine=0.995, agree=98%, error<=0.05, score.exact>=-1 or score.cer<=+0.5',
    });
  }
  const [, name, score, relation, sign, , percent] = match;
  const measure = score === undefined ? (name as 'cosine' | 'agree' | 'error') : 'score';
  if (measure !== 'score' && sign !== '') {
    throw new WhittleError(`"${text}": ${name} is measured against the original already`, {
      hint: 'Leave the sign out',
    });
  }
  if (measure === 'score' && relation === '=') {
    throw new WhittleError(`"${text}" does not say on which side of it the score is good`, {
      hint: `Write score.${score}>=… where higher is better, score.${score}<=… where lower is`,
    });
  }
  const atLeast = measure === 'score' ? relation === '>=' : measure !== 'error';
  if (relation !== '=' && (relation === '>=') !== atLeast) {
    throw new WhittleError(`"${text}" bounds the ${name} from the wrong side`, {
      hint: `Write ${text.replace(relation!, atLeast ? '>=' : '<=').trim()}`,
    });
  }
  // Scores are in the user's own unit; cosine and agreement are shares.
  const unit = percent === '%' && measure !== 'score' ? 100 : 1;
  if (measure !== 'score' && (atLeast ? value / unit > 1 : value === 0)) {
    throw new WhittleError(`"${text}" cannot hold`, {
      hint: !atLeast
        ? 'Every compression changes the outputs a little'
        : value <= 100 && name === 'agree'
          ? `Write agree=${value}%, or the share of 1`
          : `Nothing has more than ${name}=1`,
    });
  }
  return {
    measure,
    ...(score !== undefined && { score }),
    atLeast,
    value: ((sign === '-' ? -1 : 1) * value) / unit,
    relative: sign !== '',
    text: text.trim(),
  };
}

/** One part of a budget, and whether the result holds it. */
export interface BudgetOutcome {
  /** As the user wrote it. */
  readonly bound: string;
  readonly limit: number;
  /** By the written file, or on inputs that took no part in the search. */
  readonly measured: number;
  readonly held: boolean;
}
