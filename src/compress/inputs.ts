import { generatedInputs } from '../data/generated.js';
import type { InputSource, Sample, Signature } from '../data/sample.js';
import { splitInputs } from '../data/split.js';
import type { Model } from '../graph/model.js';
import type { CompressOptions, Settings } from './options.js';
import type { InputsUsed } from './report.js';

export interface CompressInputs {
  /** What layers are observed on. */
  readonly calibration: Sample[];
  /** A few others, on which the whole model is probed; the same where there are too few. */
  readonly probes: Sample[];
  readonly heldOut: Sample[];
  /**
   * Of those held out, the ones that decide whether a quality bound holds, and the ones that the report then quotes: a
   * choice made by its inputs looks better on them than on others. The same, all of them, where there are too few.
   */
  readonly confirmed: Sample[];
  readonly reported: Sample[];
  readonly about: { readonly calibration: InputsUsed; readonly heldOut: InputsUsed };
  readonly warnings: string[];
}

/** What a model must be fed. */
export const signatureOf = (model: Model): Signature =>
  model.graph.inputs
    .filter(value => value.dtype !== undefined)
    .map(value => ({
      name: value.name,
      dtype: value.dtype!,
      shape: value.shape,
      optional: value.initializer !== undefined,
    }));

/** The samples to calibrate and to verify with: the user's, or made up from the model's signature. */
export async function readInputs(
  model: Model,
  options: Pick<CompressOptions, 'inputs' | 'heldOut'>,
  settings: Pick<Settings, 'calibration' | 'verification' | 'seed'> & Bounds,
): Promise<CompressInputs> {
  const { calibration, verification, seed } = settings;
  const source =
    options.inputs ?? generatedInputs(signatureOf(model), { seed, count: calibration + verification });
  const counts = options.heldOut
    ? // Nothing has to be held out of the calibration inputs.
      { calibration, heldOut: 1, fraction: 0 }
    : { calibration, heldOut: verification };
  const split = await splitInputs(source, { ...counts, seed });
  const heldOut = options.heldOut ?? split.heldOut;
  const given = await collect(split.calibration, calibration);
  const probeCount = Math.min(MAX_PROBES, Math.floor(given.length / 4));
  const inputs = {
    calibration: probeCount > 0 ? given.slice(probeCount) : given,
    probes: probeCount > 0 ? given.slice(0, probeCount) : given,
    ...divide(await collect(heldOut, verification), settings),
  };
  const used = (from: InputSource, samples: Sample[]): InputsUsed => ({
    source: from.description,
    samples: samples.length,
    generated: from.generated ?? false,
  });
  return {
    ...inputs,
    about: {
      calibration: used(source, given),
      heldOut: used(options.heldOut ?? source, inputs.reported),
    },
    warnings: [...new Set([...(source.notes ?? []), ...(options.heldOut?.notes ?? [])])],
  };
}

/** Says where the inputs that decided whether bounds hold are those that the report quotes. */
export function judgedByItself(
  { confirmed, reported }: Pick<CompressInputs, 'confirmed' | 'reported'>,
  settings: Bounds,
): string[] {
  if (!judgesOutputs(settings) || confirmed !== reported) return [];
  return [
    `The inputs that this report quotes, ${reported.length}, also decided whether the quality is kept, so that its figures lean to the good side. With ${DIVIDED_FROM} or more held out, one half decides and the other is reported.`,
  ];
}

/** From so many held-out inputs on, one half decides and the other is reported. */
const DIVIDED_FROM = 40;

type Bounds = Partial<Pick<Settings, 'quality'>>;

/** Whether bounds on the outputs decide; an evaluation has inputs of its own. */
const judgesOutputs = ({ quality = [] }: Bounds): boolean =>
  quality.some(({ measure }) => measure !== 'score');

function divide(
  heldOut: Sample[],
  settings: Bounds,
): Pick<CompressInputs, 'heldOut' | 'confirmed' | 'reported'> {
  if (heldOut.length < DIVIDED_FROM || !judgesOutputs(settings)) {
    return { heldOut, confirmed: heldOut, reported: heldOut };
  }
  return {
    heldOut,
    confirmed: heldOut.filter((_, i) => i % 2 === 0),
    reported: heldOut.filter((_, i) => i % 2 === 1),
  };
}

/** Each probe runs the model once on every one of these. */
const MAX_PROBES = 16;

async function collect(source: InputSource, limit: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of source.samples()) {
    samples.push(sample);
    if (samples.length === limit) break;
  }
  return samples;
}
