import type { Site } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { Evaluator } from './evaluator.js';
import { type Job, openJob } from './job.js';
import type { Layer } from './layer.js';
import type { Candidate } from './method.js';
import { plainFactors } from './methods/factors.js';
import { isReducible, LASER_SHARES, laserCandidate } from './methods/laser.js';
import type { CompressOptions } from './options.js';
import type { ScoreRow } from './report.js';
import { visitLayers } from './visit-layers.js';
import { writeChoices } from './write.js';

export interface LaserOptions
  extends Pick<
    CompressOptions,
    'inputs' | 'samples' | 'seed' | 'threads' | 'include' | 'exclude' | 'signal' | 'evaluate' | 'onProgress'
  > {
  /** Shares of the full rank to try, each above 0 and at most 1; default 1%, 5%, 10%, 25% and 50%. */
  shares?: readonly number[];
  /** The score of the evaluation to judge by; default its first. */
  score?: string;
}

/** What cutting one layer's rank did to the score. */
export interface RankReduction {
  readonly weight: string;
  /** Share of the full rank that was kept. */
  readonly share: number;
  readonly score: number;
  /** Against the original, positive where it is better. */
  readonly gain: number;
}

export interface LaserSearch {
  /** The model with every cut that gained and still gained on top of those before it, stored as int8. */
  readonly model: Model;
  /** The original's. */
  readonly score: number;
  /** Each layer and share alone, the largest gain first. */
  readonly reductions: readonly RankReduction[];
  /** What the model holds; the score of each is that of all up to it. */
  readonly kept: readonly RankReduction[];
}

/**
 * Tries every layer at several ranks, one evaluation each, then cuts those that gained, best first, as long as the
 * score rises: the search of LASER (Sharma et al., ICLR 2024). With evaluations this small, gains can be luck: judge the
 * result on inputs that took no part.
 * @throws WhittleError without an evaluation, for shares out of range, and where no layer has a rank to reduce
 */
export async function searchRankReductions(original: Model, options: LaserOptions): Promise<LaserSearch> {
  const { shares = LASER_SHARES, score: name, ...rest } = options;
  if (!options.evaluate) {
    throw new WhittleError('the search needs an evaluation that returns scores', {
      hint: 'Layer errors always rise when ranks are cut; only a score can gain',
    });
  }
  const wrong = shares.find(share => !(share > 0 && share <= 1));
  if (wrong !== undefined) throw new WhittleError(`a share of the rank cannot be ${wrong}`);
  const job = await openJob(original, { ...rest, method: 'laser' });
  const candidates = await candidatesOf(job, shares);
  if (candidates.length === 0) throw new WhittleError('no layer has a rank to reduce');
  const evaluator = await Evaluator.create(original, job.inputs.heldOut, options);
  try {
    const tried = job.clock.start('evaluate', candidates.length);
    let before = Number.NaN;
    const evaluate = async (
      choices: ReadonlyMap<Site, Candidate>,
    ): Promise<{ score: number; gain: number }> => {
      const { scores } = await evaluator.scores(write(job, choices));
      const row = scoreOf(scores, name);
      before = row.before;
      const rise = row.after - row.before;
      return { score: row.after, gain: row.betterIs === 'lower' ? -rise : rise };
    };
    const alone: (RankReduction & { site: Site; candidate: Candidate })[] = [];
    for (const [i, { site, share, candidate }] of candidates.entries()) {
      tried(i, site.value.name);
      const measured = await evaluate(new Map([[site, candidate]]));
      alone.push({ weight: site.value.name, share, ...measured, site, candidate });
    }
    alone.sort((a, b) => b.gain - a.gain);
    const choices = new Map<Site, Candidate>();
    const kept: RankReduction[] = [];
    let best = 0;
    for (const { site, candidate, weight, share, gain } of alone) {
      if (gain <= 0) break;
      if (choices.has(site)) continue;
      const measured = await evaluate(new Map([...choices, [site, candidate]]));
      if (measured.gain <= best) continue;
      best = measured.gain;
      choices.set(site, candidate);
      kept.push({ weight, share, ...measured });
    }
    return {
      model: write(job, choices),
      score: before,
      reductions: alone.map(({ weight, share, score, gain }) => ({ weight, share, score, gain })),
      kept,
    };
  } finally {
    await evaluator.release();
  }
}

async function candidatesOf(job: Job, shares: readonly number[]) {
  const found: { site: Site; share: number; candidate: Candidate }[] = [];
  await visitLayers(job, (layer: Layer) => {
    if (!isReducible(layer)) return;
    const factors = plainFactors(layer);
    for (const share of shares) {
      const candidate = laserCandidate(layer, share, undefined, () => factors);
      // Made now, as a byte a number: the factors and what calibration saw need not be kept.
      candidate.weight();
      found.push({ site: layer.site, share, candidate });
    }
  });
  return found;
}

const write = (job: Job, choices: ReadonlyMap<Site, Candidate>): Model =>
  writeChoices(
    job.model,
    new Map([...choices].map(([site, candidate]) => [site, { candidate, bytes: 0, error: 0 }])),
  );

/** @throws WhittleError where the evaluation has no such score */
function scoreOf(scores: readonly ScoreRow[], name: string | undefined): ScoreRow {
  const row = name === undefined ? scores[0] : scores.find(score => score.name === name);
  if (row) return row;
  throw new WhittleError(
    name === undefined ? 'the evaluation returned no score' : `there is no score "${name}"`,
    {
      hint: `It has ${scores.map(score => score.name).join(', ') || 'none'}`,
    },
  );
}
