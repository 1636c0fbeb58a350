import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import { createSession, type Tensors } from '../runtime/index.js';

/** The least and the greatest number that an activation held. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * The ranges of activations over the calibration inputs. ONNX Runtime finds each sample's extremes inside the graph.
 * @param values float32 values of the model's outermost graph
 * @throws WhittleError naming the node whose activation is NaN or infinite
 */
export async function observeRanges(
  model: Model,
  values: Iterable<Value>,
  samples: readonly Tensors[],
  { threads }: { threads?: number | undefined } = {},
): Promise<Map<Value, Range>> {
  const copies = new Map<Value, Value>();
  const copy = cloneModel(model, copies);
  const { graph } = copy;
  graph.outputs.length = 0;
  const taps = [...new Set(values)].map(value => {
    const [least, greatest] = ['ReduceMin', 'ReduceMax'].map(type =>
      graph.addOutput(graph.op(type, [copies.get(value)!], { keepdims: 0 })),
    );
    return { value, least: least!.name, greatest: greatest!.name, min: Infinity, max: -Infinity };
  });
  if (taps.length === 0) return new Map();
  removeDead(graph);
  const session = await createSession(copy, threads === undefined ? {} : { threads });
  try {
    for (const sample of samples) {
      const results = await session.run(pick(sample, session.inputs));
      for (const tap of taps) {
        tap.min = Math.min(tap.min, results[tap.least]!.toNumbers()[0]!);
        tap.max = Math.max(tap.max, results[tap.greatest]!.toNumbers()[0]!);
      }
    }
  } finally {
    await session.release();
  }
  for (const { value, min, max } of taps) {
    if (Number.isFinite(min) && Number.isFinite(max)) continue;
    throw new WhittleError('an activation is NaN or infinite on the calibration inputs', {
      node: value.producer?.label ?? value.name,
      value: value.name,
      hint: 'Check the range and the dtype of the calibration inputs, and run the model on them in ONNX Runtime',
    });
  }
  return new Map(taps.map(({ value, min, max }) => [value, { min, max }]));
}

/** Inputs that nothing asked for needs any more are gone. */
const pick = (sample: Tensors, inputs: readonly { name: string }[]): Tensors =>
  Object.fromEntries(inputs.map(({ name }) => [name, sample[name]!]));
