import { layersOf, operatorOf, type Site, unseenLayers } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { modelByteLength } from '../onnx/index.js';
import { VERSION } from '../version.js';
import { describeModel } from './build-report.js';
import { EndToEnd } from './end-to-end.js';
import { Evaluator } from './evaluator.js';
import { type Job, openJob } from './job.js';
import type { Layer } from './layer.js';
import { METHODS, type MethodName } from './methods/index.js';
import type { CompressOptions } from './options.js';
import type { CompressReport, InputsUsed, OutputAgreement } from './report.js';
import type { Scored } from './score.js';
import { visitLayers } from './visit-layers.js';
import { writeChoices } from './write.js';

export interface SensitivityOptions
  extends Omit<CompressOptions, 'method' | 'maxSize' | 'minQuality' | 'maxLatency' | 'goal' | 'pareto'> {
  /** Quantize each layer to so many bits; default 4. */
  bits?: number;
  /** Instead: what this method makes of each layer within `ratio` of its bytes. */
  method?: MethodName;
  /** Default 0.25. */
  ratio?: number;
}

/** What happens to the outputs when one layer at a time is compressed, as plain JSON. */
export interface SensitivityReport {
  version: 1;
  date: string;
  whittle: string;
  command?: string;
  model: CompressReport['model'];
  /** What was done to each layer. */
  level: string;
  bytes: number;
  calibration: InputsUsed;
  verification: InputsUsed;
  /** The worst first. */
  layers: SensitiveLayer[];
  /** All of them compressed at once. */
  together?: { bytes: number; outputs: OutputAgreement[] };
  /** Layers that the level knows no form for. */
  skipped: string[];
  phases: CompressReport['phases'];
  warnings: string[];
}

export interface SensitiveLayer {
  weight: string;
  nodes: string[];
  op: string;
  shape: number[];
  /** Place in the network, from 1. */
  position: number;
  bytesBefore: number;
  bytesAfter: number;
  choice: string;
  /** ‖y − ŷ‖ / ‖y − ȳ‖ of the layer's own output on the calibration inputs. */
  error: number;
  /** ‖y − ŷ‖ / ‖y‖ of the model's worst output on the verification inputs. */
  outputError: number;
  cosine: number;
  top1?: number;
  /** Its part of the sum of all squared output errors. */
  share: number;
}

/** Every layer costs a run on each of these. */
const SAMPLES = { calibration: 32, verification: 16 };

/**
 * Compresses one layer at a time and measures what that does to the model's outputs: which layers must be treated with
 * care, and which layer it was that broke a compressed model.
 * @throws WhittleError as `compress` does
 */
export async function measureSensitivity(
  original: Model,
  options: SensitivityOptions = {},
): Promise<SensitivityReport> {
  const { bits = 4, ratio = 0.25, method, ...rest } = options;
  checkLevel(bits, ratio);
  const level =
    method === undefined
      ? `${bits}-bit weights`
      : `${method} within ${+(100 * ratio).toPrecision(3)}% of the bytes`;
  const job = await openJob(original, { ...rest, method: 'auto', samples: options.samples ?? SAMPLES });
  const choices = await chooseForEach(
    job,
    layer =>
      method === undefined
        ? METHODS.quantize.flatMap(m => [...m.propose(layer)]).filter(candidate => candidate.bits === bits)
        : METHODS[method].flatMap(m => [...m.propose(layer)]),
    method === undefined ? 1 : ratio,
  );
  if (choices.size === 0) {
    throw new WhittleError(`no layer can be compressed to ${level}`, {
      hint: 'Take other --bits, or a --method with a larger --ratio',
    });
  }
  const evaluator = await Evaluator.create(original, job.inputs.heldOut, options);
  try {
    const layers = await measureEach(job, choices, evaluator);
    const all = writeChoices(job.model, choices);
    const total = layers.reduce((sum, { outputError }) => sum + finite(outputError) ** 2, 0);
    for (const layer of layers) layer.share = total > 0 ? finite(layer.outputError) ** 2 / total : 0;
    return {
      version: 1,
      date: new Date().toISOString(),
      whittle: VERSION,
      model: describeModel(original),
      level,
      bytes: modelByteLength(original),
      calibration: job.inputs.about.calibration,
      verification: job.inputs.about.heldOut,
      layers: layers.sort((a, b) => rankOf(b.outputError) - rankOf(a.outputError)),
      together: { bytes: modelByteLength(all), outputs: await evaluator.outputs(all) },
      skipped: job.selected.filter(site => !choices.has(site)).map(({ value }) => value.name),
      phases: job.clock.phases,
      warnings: [...job.inputs.warnings, ...unseenLayers(job.selected)],
    };
  } finally {
    await evaluator.release();
  }
}

const finite = (error: number): number => (Number.isFinite(error) ? error : 0);
/** NaN outputs are as broken as can be. */
const rankOf = (error: number): number => (Number.isNaN(error) ? Infinity : error);

function checkLevel(bits: number, ratio: number): void {
  if (!(Number.isInteger(bits) && bits >= 2 && bits <= 8)) {
    throw new WhittleError(`weights cannot have ${bits} bits`, { hint: 'Take 2 to 8' });
  }
  if (!(ratio > 0 && ratio < 1)) {
    throw new WhittleError(`the ratio must lie between 0 and 1, not ${ratio}`);
  }
}

/** For each layer the candidate of least error within its share of bytes. */
async function chooseForEach(
  job: Job,
  propose: (layer: Layer) => Scored['candidate'][],
  ratio: number,
): Promise<Map<Site, Scored>> {
  const choices = new Map<Site, Scored>();
  await visitLayers(job, async (layer, scale, measure) => {
    let best: Scored | undefined;
    for (const candidate of propose(layer)) {
      const bytes = scale.bytesOf(candidate);
      if (bytes > ratio * scale.before) continue;
      const error = await measure(candidate);
      if (!best || error < best.error) best = { candidate, bytes, error };
    }
    if (best) choices.set(layer.site, best);
  });
  return choices;
}

async function measureEach(
  { model, sites, inputs, options, clock }: Job,
  choices: ReadonlyMap<Site, Scored>,
  evaluator: Evaluator,
): Promise<SensitiveLayer[]> {
  const endToEnd = await EndToEnd.create(model, [...choices.keys()], inputs.heldOut, options.threads);
  try {
    const measured = clock.start('measure', choices.size);
    const layers: SensitiveLayer[] = [];
    for (const [site, scored] of choices) {
      measured(layers.length, site.value.name);
      const outputs = endToEnd.reaches(site)
        ? await endToEnd.agreement(new Map([[site, scored.candidate.weight()]]))
        : // A weight in a subgraph cannot be fed from outside.
          await evaluator.outputs(writeChoices(model, new Map([[site, scored]])));
      layers.push(describe(site, sites.indexOf(site) + 1, scored, outputs));
    }
    return layers;
  } finally {
    await endToEnd.release();
  }
}

function describe(
  site: Site,
  position: number,
  { candidate, bytes, error }: Scored,
  outputs: readonly OutputAgreement[],
): SensitiveLayer {
  const top1 = outputs.flatMap(output => output.top1 ?? []);
  return {
    weight: site.value.name,
    nodes: layersOf(site).map(({ label }) => label),
    op: operatorOf(site),
    shape: [...site.tensor.dims],
    position,
    bytesBefore: site.tensor.byteLength,
    bytesAfter: bytes,
    choice: candidate.rank === undefined ? candidate.label : `${candidate.label}, rank ${candidate.rank}`,
    error,
    outputError: Math.max(...outputs.map(({ relativeError }) => relativeError)),
    cosine: Math.min(...outputs.map(({ cosine }) => cosine)),
    ...(top1.length > 0 && { top1: Math.min(...top1) }),
    share: 0,
  };
}
