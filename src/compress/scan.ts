import type { Site } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { modelByteLength } from '../onnx/index.js';
import { VERSION } from '../version.js';
import { describeModel } from './build-report.js';
import { Evaluator } from './evaluator.js';
import { openJob } from './job.js';
import type { Layer } from './layer.js';
import type { Candidate, Method } from './method.js';
import { METHODS, type MethodName } from './methods/index.js';
import type { CompressOptions } from './options.js';
import type { CompressReport, InputsUsed, OutputAgreement, ScoreRow } from './report.js';
import { chooseByRule } from './rule.js';
import type { ByteScale, Scored } from './score.js';
import { type Measure, visitLayers } from './visit-layers.js';
import { writeChoices } from './write.js';

/** What a scan varies: the error that each layer may make, the share of its bytes it may take, or the bits of a number. */
export type ScanAxis = 'error' | 'ratio' | 'bits';

export interface ScanOptions
  extends Omit<CompressOptions, 'method' | 'maxSize' | 'minQuality' | 'maxLatency' | 'goal' | 'pareto'> {
  /** Default `error`. */
  vary?: ScanAxis;
  /** Where to measure; sensible values by default. */
  values?: readonly number[];
  /** Which methods to compare; default SVD, SVD and quantization, quantization alone. */
  methods?: readonly MethodName[];
}

/** Size against quality, as plain JSON. */
export interface ScanReport {
  version: 1;
  date: string;
  whittle: string;
  command?: string;
  model: CompressReport['model'];
  vary: ScanAxis;
  /** The rule that picks ranks where bits vary. */
  error?: number;
  /** Bytes of the original. */
  bytes: number;
  calibration: InputsUsed;
  verification: InputsUsed;
  curves: ScanCurve[];
  phases: CompressReport['phases'];
  warnings: string[];
}

export interface ScanCurve {
  method: string;
  points: ScanPoint[];
}

/** One written file, measured on the verification inputs. */
export interface ScanPoint {
  /** The error, ratio or bits; absent where the method knows none. */
  value?: number;
  bytes: number;
  /** Of the worst output. */
  cosine: number;
  outputs: OutputAgreement[];
  scores: ScoreRow[];
}

const VALUES: Readonly<Record<ScanAxis, readonly number[]>> = {
  error: [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5],
  ratio: [0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.8],
  bits: [2, 3, 4, 5, 6, 8, 16],
};

const COMPARED: readonly MethodName[] = ['svd', 'svd+quantize', 'quantize'];

/** Picks ranks where bits vary. */
const DEFAULT_RULE = 0.05;

/**
 * Size against quality for single methods, as one setting varies: what R. Dyro's post-training study shows for SVD, SVD
 * with quantized factors, and quantization alone. Every point is a file, measured end to end on inputs that took no
 * part.
 * @throws WhittleError as `compress` does, and for values that the axis does not have
 */
export async function scan(original: Model, options: ScanOptions = {}): Promise<ScanReport> {
  const { vary = 'error', methods = COMPARED } = options;
  const values = options.values ?? VALUES[vary];
  checkValues(vary, values);
  const rule = options.error ?? DEFAULT_RULE;
  const job = await openJob(original, { ...options, method: 'auto', error: rule });
  const runs = methods.flatMap(method =>
    // The singular value decomposition alone stores float32 at all bits.
    (vary === 'bits' && method === 'svd' ? [undefined] : values).map(value => ({
      method,
      value,
      choice: new Map<Site, Scored | undefined>(),
    })),
  );
  const tried = Object.fromEntries(
    methods.map(name => [name, METHODS[name].map((method: Method) => rememberProposals(method))]),
  );
  await visitLayers(job, async (layer, scale, measure) => {
    const place = { vary, rule, measure: rememberErrors(measure) };
    for (const { method, value, choice } of runs) {
      choice.set(layer.site, await chooseAt(layer, scale, tried[method]!, { ...place, value }));
    }
  });
  const evaluator = await Evaluator.create(original, job.inputs.heldOut, options);
  try {
    // Factors do not come in all bits: without any, the curve would only repeat that of quantization.
    const written = runs.filter(
      ({ method, choice }) =>
        vary !== 'bits' ||
        method === 'quantize' ||
        [...choice.values()].some(scored => scored?.candidate.rank !== undefined),
    );
    const measured = job.clock.start('measure', written.length);
    const curves = methods.map((method): ScanCurve => ({ method, points: [] }));
    for (const [i, { method, value, choice }] of written.entries()) {
      measured(i, `${method}${value === undefined ? '' : ` ${value}`}`);
      const model = writeChoices(job.model, choice);
      const outputs = await evaluator.outputs(model);
      curves
        .find(curve => curve.method === method)!
        .points.push({
          ...(value !== undefined && { value }),
          bytes: modelByteLength(model),
          cosine: Math.min(1, ...outputs.map(({ cosine }) => cosine)),
          outputs,
          scores: (await evaluator.scores(model)).scores,
        });
    }
    return {
      version: 1,
      date: new Date().toISOString(),
      whittle: VERSION,
      model: describeModel(original),
      vary,
      ...(vary === 'bits' && { error: rule }),
      bytes: modelByteLength(original),
      calibration: job.inputs.about.calibration,
      verification: job.inputs.about.heldOut,
      curves,
      phases: job.clock.phases,
      warnings: job.inputs.warnings,
    };
  } finally {
    await evaluator.release();
  }
}

function checkValues(vary: ScanAxis, values: readonly number[]): void {
  const fits = (value: number) =>
    vary === 'bits' ? Number.isInteger(value) && value >= 2 && value <= 16 : value > 0 && value < 1;
  const wrong = values.find(value => !fits(value));
  if (wrong === undefined && values.length > 0) return;
  throw new WhittleError(wrong === undefined ? 'there is no value to scan' : `${vary} cannot be ${wrong}`, {
    hint: vary === 'bits' ? 'Bits are whole numbers from 2 to 16' : 'It must lie between 0 and 1',
  });
}

interface ScanPlace {
  readonly vary: ScanAxis;
  readonly value: number | undefined;
  readonly rule: number;
  readonly measure: Measure;
}

/** A method that proposes the same candidates again, so that a weight is rounded once for all values of a scan. */
function rememberProposals(method: Method): Method {
  const known = new WeakMap<Layer, Candidate[]>();
  return {
    ...method,
    propose(layer) {
      const candidates = known.get(layer) ?? [...method.propose(layer)];
      known.set(layer, candidates);
      return candidates;
    },
  };
}

function rememberErrors(measure: Measure): Measure {
  const known = new WeakMap<Candidate, number>();
  return async candidate => {
    const error = known.get(candidate) ?? (await measure(candidate));
    known.set(candidate, error);
    return error;
  };
}

/** What methods make of a layer at one place of the scan; `undefined` leaves it as it is. */
async function chooseAt(
  layer: Layer,
  scale: ByteScale,
  methods: readonly Method[],
  { vary, value, rule, measure }: ScanPlace,
): Promise<Scored | undefined> {
  if (vary === 'error' || value === undefined) {
    return (await chooseByRule(layer, scale, methods, value ?? rule, measure)).chosen;
  }
  const scored: Scored[] = [];
  for (const candidate of methods.flatMap(method => [...method.propose(layer)])) {
    if (vary === 'bits' && candidate.bits !== value) continue;
    const bytes = scale.bytesOf(candidate);
    if (bytes < scale.before) scored.push({ candidate, bytes, error: await measure(candidate) });
  }
  const bytesOf = ({ bytes }: Scored) => bytes;
  const errorOf = ({ error }: Scored) => error;
  if (vary === 'ratio') {
    const fitting = scored.filter(({ bytes }) => bytes <= value * scale.before);
    // Where nothing is that small, the smallest comes nearest.
    return least(fitting, errorOf) ?? least(scored, bytesOf);
  }
  const factors = scored.filter(({ candidate, error }) => candidate.rank !== undefined && error <= rule);
  const whole = scored.filter(({ candidate }) => candidate.rank === undefined);
  return least(factors, bytesOf) ?? least(whole, errorOf);
}

function least<T>(items: readonly T[], cost: (item: T) => number): T | undefined {
  return items.reduce<T | undefined>(
    (best, item) => (best === undefined || cost(item) < cost(best) ? item : best),
    undefined,
  );
}
