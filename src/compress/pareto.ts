import type { Model } from '../graph/model.js';
import { modelByteLength } from '../onnx/index.js';
import { Evaluator } from './evaluator.js';
import { type Job, openJob } from './job.js';
import type { CompressOptions } from './options.js';
import type { ParetoPoint, ParetoReport } from './report.js';
import { type LayerStudy, type Plan, plannersOf } from './search/plan.js';
import { study, withStudies } from './studies.js';
import { writeChoices } from './write.js';

/** A point of the front with the means to write it. */
export interface WritablePoint extends ParetoPoint {
  readonly plan: Plan;
  /** The compressed model of this point. */
  readonly model: () => Model;
}

export interface MeasuredFront {
  /** From the smallest file to the best. */
  readonly points: readonly WritablePoint[];
  readonly report: ParetoReport;
  /** Where quality begins to fall faster than bytes do. */
  readonly knee: WritablePoint;
}

/** Sizes at which the front is measured, and at which each method's own curve is. */
const POINTS = 10;
const POINTS_PER_METHOD = 6;

/** The method that all others are held against: it is measured as finely as the mix, and scored too. */
const BASELINE = 'quantize';

/**
 * The whole front of a model in one run: at about ten sizes the best mix of all methods, each written and measured in
 * ONNX Runtime on inputs that took no part, and behind it what each method reaches alone.
 * @throws WhittleError as `compress` does
 */
export async function paretoFront(original: Model, options: CompressOptions = {}): Promise<MeasuredFront> {
  const job = await openJob(original, { ...options, pareto: true });
  const findings = await study(job);
  return withStudies(job, findings, async studies => {
    const evaluator = await Evaluator.create(job.original, job.inputs.heldOut, job.options);
    try {
      return await measureFront(job, studies, evaluator);
    } finally {
      await evaluator.release();
    }
  });
}

/** Measures the front of a job whose layers are studied; of a pruned model not what each method reaches alone. */
export async function measureFront(
  job: Job,
  studies: readonly LayerStudy[],
  evaluator: Evaluator,
  { pruned = false } = {},
): Promise<MeasuredFront> {
  const bytes = modelByteLength(job.model);
  const inLayers = studies.reduce((sum, { bytesBefore }) => sum + bytesBefore, 0);
  const frame = job.settings.goal === 'speed' ? 0 : bytes - inLayers;
  const [mix, ...single] = plannersOf(studies);
  const alone = pruned ? [] : single.map(one => ({ ...one, count: pointsOf(one.name) }));
  const measured = job.clock.start(
    'front',
    alone.reduce((sum, { count }) => sum + count, POINTS),
  );
  let done = 0;
  const score = async (point: WritablePoint, what: string): Promise<WritablePoint> => {
    if (evaluator.evaluates) measured(done++, `score ${what}`);
    return { ...point, scores: (await evaluator.scores(point.model())).scores };
  };
  const curve = async ({ name, planner }: typeof mix & {}, count: number): Promise<WritablePoint[]> => {
    const points: WritablePoint[] = [];
    for (const plan of spreadPlans(planner.front(), count, frame)) {
      measured(done++, name);
      const model = () => writeChoices(job.model, plan.choice);
      const written = model();
      const outputs = await evaluator.outputs(written);
      const cosine = Math.min(1, ...outputs.map(output => output.cosine));
      const choices = choicesOf(plan);
      points.push({ bytes: modelByteLength(written), cosine, outputs, scores: [], choices, plan, model });
    }
    return points.sort((a, b) => a.bytes - b.bytes);
  };
  const mixed = await curve(mix!, POINTS);
  const curves: { method: string; points: WritablePoint[] }[] = [];
  for (const one of alone) {
    const points = await curve(one, one.count);
    if (one.name === BASELINE) {
      for (const [i, point] of points.entries()) points[i] = await score(point, `${one.name} ${i + 1}`);
    }
    curves.push({ method: one.name, points });
  }
  const best = undominated([...mixed, ...curves.flatMap(({ points }) => points)], byCosine);
  const points: WritablePoint[] = [];
  for (const [i, point] of best.entries()) {
    points.push(point.scores.length > 0 ? point : await score(point, String(i + 1)));
  }
  const report = {
    points: points.map(plain),
    methods: curves.map(({ method, points }) => ({ method, points: points.map(plain) })),
  };
  return { points, knee: kneeOf(points, bytes), report };
}

const pointsOf = (method: string): number => (method === BASELINE ? POINTS : POINTS_PER_METHOD);

type Quality = (point: ParetoPoint) => number;

const byCosine: Quality = ({ cosine }) => cosine;

/** The user's first score, higher being better. */
const byScore: Quality = ({ scores: [score] }) =>
  score ? (score.betterIs === 'higher' ? score.after : -score.after) : Number.NaN;

/** The points that no smaller one equals, smallest first; those whose quality is not known are left out. */
function undominated<T extends ParetoPoint>(points: readonly T[], quality: Quality): T[] {
  const front: T[] = [];
  for (const point of [...points].sort((a, b) => a.bytes - b.bytes || quality(b) - quality(a))) {
    const last = front.at(-1);
    if (!last || quality(point) > quality(last) || Number.isNaN(quality(last))) front.push(point);
  }
  return front;
}

/** The front of a model that was pruned to a share of its operations. */
export interface VersionFront {
  readonly share: number;
  readonly front: ParetoReport;
}

/**
 * One front of several versions of a model: what no smaller file equals, in likeness to the original or by the user's
 * first score. The two do not always agree on pruning.
 */
export function joinFronts(fronts: readonly VersionFront[]): ParetoReport {
  const versions = fronts.map(({ share, front }) => ({
    pruned: share,
    points: share === 1 ? front.points : front.points.map(point => ({ ...point, pruned: share })),
  }));
  const all = versions.flatMap(({ points }) => points);
  const best = new Set([
    ...undominated(all, byCosine),
    ...(all.every(({ scores }) => scores.length > 0) ? undominated(all, byScore) : []),
  ]);
  return {
    points: all.filter(point => best.has(point)).sort((a, b) => a.bytes - b.bytes),
    methods: fronts.flatMap(({ front }) => front.methods),
    versions,
  };
}

const plain = ({ bytes, cosine, outputs, scores, choices }: WritablePoint): ParetoPoint => ({
  bytes,
  cosine,
  outputs,
  scores,
  choices,
});

/** How many layers have which form, the commonest first. */
function choicesOf({ choice }: Plan): ParetoPoint['choices'] {
  const counts = new Map<string, number>();
  for (const scored of choice.values()) {
    const label = scored?.candidate.label ?? 'unchanged';
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts].map(([label, layers]) => ({ label, layers })).sort((a, b) => b.layers - a.layers);
}

/** A predicted distortion beyond this means that nothing of the outputs is left. */
const RUINED = 1;
/** Below this one plan's outputs cannot be told from another's. */
const FLAWLESS = 1e-5;

/**
 * Plans spread evenly along the front as it looks on a plot of log distortion over log bytes, the smallest that is of
 * any use and the best that still saves something among them.
 * @param frame bytes of the file that are not in the layers
 */
export function spreadPlans(front: readonly Plan[], count: number, frame: number): Plan[] {
  const flawless = front.findIndex(({ distortion }) => distortion <= FLAWLESS);
  const useful = front
    .slice(0, flawless < 0 ? undefined : flawless + 1)
    .filter(({ distortion }) => distortion > 0 && distortion <= RUINED);
  // Without any useful plan the nearest to use says at least how bad it is.
  const plans = useful.length > 0 ? useful : front.filter(({ distortion }) => distortion > 0).slice(-1);
  if (plans.length <= count) return plans;
  const x = normalized(plans.map(({ price }) => Math.log(price + frame)));
  const y = normalized(plans.map(({ distortion }) => Math.log(Math.max(distortion, FLAWLESS))));
  const along = [0];
  for (let i = 1; i < plans.length; i++) {
    along.push(along[i - 1]! + Math.hypot(x[i]! - x[i - 1]!, y[i]! - y[i - 1]!));
  }
  const chosen = new Set<Plan>();
  for (let k = 0; k < count; k++) {
    const wanted = (k / (count - 1)) * along.at(-1)!;
    const at = along.findIndex(length => length >= wanted - 1e-12);
    chosen.add(plans[at < 0 ? plans.length - 1 : at]!);
  }
  return [...chosen];
}

function normalized(values: readonly number[]): number[] {
  const low = Math.min(...values);
  const range = Math.max(...values) - low || 1;
  return values.map(value => (value - low) / range);
}

/**
 * The point that lies farthest above the straight line from the smallest to the original (Satopää, Albrecht, Irwin,
 * Raghavan, "Finding a Kneedle in a Haystack", 2011).
 */
export function kneeOf<T extends { readonly bytes: number; readonly cosine: number }>(
  points: readonly T[],
  originalBytes: number,
): T {
  const height = heightAbove(points[0]!, originalBytes);
  return points.reduce((best, point) => (height(point) > height(best) ? point : best));
}

interface Place {
  readonly bytes: number;
  readonly cosine: number;
}

/** How far a file lies above the line from the smallest one to the original, both axes scaled to one. */
export function heightAbove(smallest: Place, originalBytes: number): (place: Place) => number {
  const width = originalBytes - smallest.bytes || 1;
  const height = 1 - smallest.cosine || 1;
  return ({ bytes, cosine }) => (cosine - smallest.cosine) / height - (bytes - smallest.bytes) / width;
}
