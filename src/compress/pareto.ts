import type { Model } from '../graph/model.js';
import { modelByteLength } from '../onnx/index.js';
import { Evaluator } from './evaluator.js';
import type { CompressOptions } from './options.js';
import { type LayerStudy, type Plan, plannersOf } from './plan.js';
import { type Job, openJob, study, withStudies } from './prepare.js';
import type { ParetoPoint, ParetoReport } from './report.js';
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

/** Measures the front of a job whose layers are studied. */
export async function measureFront(
  job: Job,
  studies: readonly LayerStudy[],
  evaluator: Evaluator,
): Promise<MeasuredFront> {
  const bytes = modelByteLength(job.model);
  const inLayers = studies.reduce((sum, { bytesBefore }) => sum + bytesBefore, 0);
  const frame = job.settings.goal === 'speed' ? 0 : bytes - inLayers;
  const [mix, ...alone] = plannersOf(studies);
  const measured = job.clock.start('front', POINTS + alone.length * POINTS_PER_METHOD);
  let done = 0;
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
  for (const one of alone) curves.push({ method: one.name, points: await curve(one, POINTS_PER_METHOD) });
  const best = undominated([...mixed, ...curves.flatMap(({ points }) => points)]);
  const points: WritablePoint[] = [];
  for (const [i, point] of best.entries()) {
    if (evaluator.evaluates) measured(done++, `score ${i + 1}`);
    points.push({ ...point, scores: (await evaluator.scores(point.model())).scores });
  }
  const report = {
    points: points.map(plain),
    methods: curves.map(({ method, points }) => ({ method, points: points.map(plain) })),
  };
  return { points, knee: kneeOf(points, bytes), report };
}

/** The points that no smaller one equals, smallest first. */
function undominated<T extends Pick<ParetoPoint, 'bytes' | 'cosine'>>(points: readonly T[]): T[] {
  const front: T[] = [];
  for (const point of [...points].sort((a, b) => a.bytes - b.bytes || b.cosine - a.cosine)) {
    const last = front.at(-1);
    if (!last || point.cosine > last.cosine || Number.isNaN(last.cosine)) front.push(point);
  }
  return front;
}

/** The front of a model that was pruned before, its points saying so. */
export function prunedFront(report: ParetoReport, share: number): ParetoReport {
  if (share === 1) return report;
  const mark = (point: ParetoPoint): ParetoPoint => ({ ...point, pruned: share });
  return {
    points: report.points.map(mark),
    methods: report.methods.map(({ method, points }) => ({
      method: `pruned to ${Math.round(100 * share)}%, ${method}`,
      points: points.map(mark),
    })),
  };
}

/** One front of several versions of a model. */
export const joinFronts = (fronts: readonly ParetoReport[]): ParetoReport => ({
  points: undominated(fronts.flatMap(({ points }) => points)),
  methods: fronts.flatMap(({ methods }) => methods),
});

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
  const first = points[0]!;
  const width = originalBytes - first.bytes || 1;
  const height = 1 - first.cosine || 1;
  const above = ({ bytes, cosine }: T) => (cosine - first.cosine) / height - (bytes - first.bytes) / width;
  return points.reduce((best, point) => (above(point) > above(best) ? point : best));
}
