import type { Dataset } from '../../src/datasets/index.js';
import { WhittleError } from '../../src/graph/errors.js';
import { Tensor } from '../../src/graph/tensor.js';
import { combine, METHODS, readMethod } from '../../src/methods/registry.js';
import { bert, exportForInference, type Network, toInference } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { Random } from '../../src/random/random.js';
import { createSession } from '../../src/runtime/index.js';
import { adamW, classification, exportTrained, type TrainingMethod, train } from '../../src/train/index.js';

const SIZES = { vocabulary: 24, features: 16, depth: 2, heads: 2, maxTokens: 5, hiddenFeatures: 32 };

/** It has what every method asks for: embeddings, blocks that are alike, attention, feed-forward pairs, a classifier. */
export const transformer = (training = true): Network =>
  bert({ ...SIZES, head: 'classification', dropout: 0, training, seed: 4 });

/** Settings under which two updates of a tiny network make sense. */
const SETTINGS: Readonly<Record<string, string>> = {
  'low-rank': 'rule=rank,amount=3',
  qat: 'bits=8',
  gradual: 'start=0,end=1,interval=1',
  hybrid: 'density=0.5',
  lottery: 'density=0.5,rate=0.5',
  rigl: 'density=0.5,interval=1',
  set: 'density=0.5,interval=1',
  dsr: 'density=0.5,interval=1',
  'sparse-momentum': 'density=0.5,interval=1',
  narrow: 'width=0.5,start=0,end=0.5,interval=1',
  'factorized-embedding': 'features=4',
  nuclear: 'interval=1',
  snapshot: 'cycles=2',
  'born-again': 'generations=2',
};

/** Every registered method with the settings of the tiny network. */
export const textOf = (name: string, teacher: { readonly path: string; readonly hidden: string }): string => {
  const distilled: Readonly<Record<string, string>> = {
    hinton: `teacher=${teacher.path}`,
    'sequence-level': `teacher=${teacher.path}`,
    fitnets: `teacher=${teacher.path},hint=${teacher.hidden},guided=bert.encoder.layer.1.output.dense`,
  };
  const settings = distilled[name] ?? SETTINGS[name];
  return settings === undefined ? name : `${name}:${settings}`;
};

export const NAMES: readonly string[] = METHODS.map(({ name }) => name);

/** Its ONNX file, and the name of one of its hidden values. */
export function teacherFile(): { readonly bytes: Uint8Array; readonly hidden: string } {
  const model = exportForInference(transformer(false));
  const hidden = [...model.graph.nodes].find(({ opType }) => opType === 'LayerNormalization')!.output.name;
  return { bytes: encodeToBytes(model), hidden };
}

const FIELDS = ['input_ids', 'attention_mask', 'token_type_ids'] as const;

/** Whether a text has more large than small words. */
function texts(length: number, seed: number): Dataset {
  const random = new Random(seed);
  const { maxTokens: tokens, vocabulary } = SIZES;
  const ids = Array.from({ length: length * tokens }, () => random.integer(vocabulary));
  const field = { dtype: 'int64', shape: [tokens] } as const;
  return {
    length,
    classes: ['small', 'large'],
    fields: {
      ...Object.fromEntries(FIELDS.map(name => [name, field])),
      labels: { dtype: 'int64', shape: [] },
    },
    async batch(indices) {
      const rows = Array.from(indices, i => ids.slice(i * tokens, (i + 1) * tokens));
      const filled = (value: number) =>
        Tensor.int64(Array(rows.length * tokens).fill(value), [rows.length, tokens]);
      return {
        input_ids: Tensor.int64(rows.flat(), [rows.length, tokens]),
        attention_mask: filled(1),
        token_type_ids: filled(0),
        labels: Tensor.int64(
          rows.map(row => Number(row.filter(id => 2 * id >= vocabulary).length * 2 > tokens)),
          [rows.length],
        ),
      };
    },
  };
}

export async function trainTogether(methods: readonly TrainingMethod[], updates = 2): Promise<Network> {
  const { network } = await train({
    network: transformer(),
    data: { train: texts(32, 1) },
    objective: classification(),
    optimizer: adamW(),
    methods,
    learningRate: 0.01,
    weightDecay: 0.01,
    batchSize: 16,
    updates,
    seed: 3,
    session: { threads: 1 },
  });
  return network;
}

/** What a pair of methods comes to: how far the file's outputs are from the trained network's, or why not. */
export type Outcome = { readonly apart: number } | { readonly refused: WhittleError };

export async function outcomeOf(methodTexts: readonly string[]): Promise<Outcome> {
  try {
    const methods = await combine(methodTexts.map(text => readMethod(text)));
    const network = await trainTogether(methods);
    const feeds = await texts(12, 2).batch(Array.from({ length: 12 }, (_, i) => i));
    const [trained, exported] = await Promise.all(
      [toInference(network).toModel(), exportTrained(network, methods)].map(async model => {
        const session = await createSession(encodeToBytes(model), { threads: 1, optimization: 'none' });
        try {
          const inputs = session.inputs.map(({ name }) => [name, feeds[name]!]);
          return (await session.run(Object.fromEntries(inputs))).logits!.toFloat32();
        } finally {
          await session.release();
        }
      }),
    );
    const scale = Math.max(...trained!.map(Math.abs));
    return { apart: Math.max(...trained!.map((value, i) => Math.abs(value - exported![i]!))) / scale };
  } catch (error) {
    if (error instanceof WhittleError) return { refused: error };
    throw error;
  }
}
