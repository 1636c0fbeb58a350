import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TokenWindows } from '../../../src/datasets/index.js';
import type { Model } from '../../../src/graph/model.js';
import { Tensor } from '../../../src/graph/tensor.js';
import type { Value } from '../../../src/graph/value.js';
import { sequenceTraining, teacherSequences } from '../../../src/methods/distillation/index.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { gpt2, Network, Scope } from '../../../src/nn/index.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { adamW, languageModel, MemoryLog, train } from '../../../src/train/index.js';

/** Scores that make the successor of `ids + offset` certain, t → t + 1 modulo 5. */
function counter(
  build: (network: Network, scope: Scope, ids: Value) => { offset?: Value; gain?: Value } = () => ({}),
): Model {
  const network = new Network();
  const scope = new Scope(network);
  const ids = network.input('input_ids', 'int64', ['batch', 'tokens']);
  const { offset, gain } = build(network, scope, ids);
  const table = scope.constant('table', () =>
    Tensor.float32(
      [5, 5],
      Array.from({ length: 25 }, (_, i) => ((Math.floor(i / 5) + 1) % 5 === i % 5 ? 50 : 0)),
    ),
  );
  const at = offset ? scope.op('Mod', [scope.op('Add', [ids, offset]), scope.int64(5)]) : ids;
  const scores = scope.op('Gather', [table, at]);
  network.output('logits', gain ? scope.op('Mul', [scores, gain]) : scores);
  return network.toModel();
}

const written = async (model: Model): Promise<number[]> => {
  const data = await teacherSequences(model, { prompts: [[0], [3]], tokens: 5, batchSize: 2 });
  return (await data.batch([0, 1])).labels!.toNumbers();
};

it.each(['int64', 'int32', 'float32'] as const)(
  'a decoder that requires a mask, positions, segments and a cache (%s) is given them',
  async dtype => {
    const model = counter((network, scope) => {
      const input = (name: string) => network.input(name, dtype, ['batch', 'tokens']);
      const positions = scope.cast(input('position_ids'), 'int64');
      const segments = scope.cast(input('token_type_ids'), 'int64');
      const mask = scope.cast(input('attention_mask'), 'float32');
      const past = network.input('past_key_values.0.key', 'float32', ['batch', 2, 'past', 4]);
      const seen = scope.op('Shape', [past], { start: 2, end: 3 });
      const offset = scope.op('Add', [scope.op('Add', [positions, segments]), seen]);
      return { offset, gain: scope.op('Unsqueeze', [mask, scope.int64(-1)]) };
    });
    // Each token is the one before, its position and one: 0 → 1 → 3 → 6 → 10, 3 → 4 → 6 → 9 → 13 modulo 5.
    expect(await written(model)).toEqual([1, 3, 1, 0, 4, 1, 4, 3]);
  },
);

it('tokens go into the only input of integers, whatever its name', async () => {
  const model = counter();
  model.graph.inputs[0]!.name = 'tokens';
  model.graph.outputs[0]!.name = 'scores';
  expect(await written(model)).toEqual([1, 2, 3, 4, 4, 0, 1, 2]);
});

it('what cannot be filled is named, before anything runs', async () => {
  const withInput = (name: string, dtype: 'float32' | 'int64', shape: (string | number)[]) =>
    counter((network, scope) => ({
      gain: scope.op('ReduceMax', [scope.cast(network.input(name, dtype, shape), 'float32')]),
    }));
  await expect(
    written(withInput('encoder_hidden_states', 'float32', ['batch', 'source', 8])),
  ).rejects.toThrow(/teacher requires float32 \[batch, source, 8\].*encoder_hidden_states/s);
  await expect(written(withInput('attention_mask', 'float32', ['batch', 1, 'a', 'b']))).rejects.toThrow(
    /attention_mask/,
  );
  await expect(written(withInput('past_key', 'float32', ['batch', 'heads', 'past', 8]))).rejects.toThrow(
    /past_key/,
  );
  const noTokens = counter();
  noTokens.graph.inputs[0]!.name = 'attention_mask';
  await expect(written(noTokens)).rejects.toThrow(/no input for tokens/);
});

it('scores of something else than tokens are refused', async () => {
  const last = new Network();
  const scope = new Scope(last);
  const ids = last.input('input_ids', 'int64', ['batch', 'tokens']);
  last.output('logits', scope.cast(ids, 'float32'));
  await expect(written(last.toModel())).rejects.toThrow(/gives \[2, 1\] for 2 sequences of 1 tokens/);
  await expect(teacherSequences(counter(), { prompts: [[0]], tokens: 3, logits: 'scores' })).rejects.toThrow(
    /no output "scores".*logits/,
  );
});

const text = () =>
  new TokenWindows(
    Uint8Array.from({ length: 61 }, (_, i) => (i * i) % 5),
    { tokens: 6 },
  );

it('trains on what the teacher writes after the beginnings of the examples', async () => {
  const own = text();
  const data = (await sequenceTraining({ teacher: { model: counter() }, prompt: 2 }).trainOn!(
    own,
  )) as TokenWindows;
  expect(data.length).toBe(own.length);
  const [given, made] = [await own.batch([0, 3, 9]), await data.batch([0, 3, 9])];
  const rows = (tensor: Tensor) => [0, 1, 2].map(i => tensor.toNumbers().slice(6 * i, 6 * i + 6));
  rows(made.input_ids!).forEach((row, i) => {
    expect(row.slice(0, 2)).toEqual(rows(given.input_ids!)[i]!.slice(0, 2));
    const next = rows(made.labels!)[i]!;
    expect(next.slice(0, 5)).toEqual(row.slice(1));
    for (let at = 1; at < 6; at++) expect(next[at]).toBe((row[at]! + 1) % 5);
  });
  const few = await sequenceTraining({ teacher: { model: counter() }, sequences: 4 }).trainOn!(own);
  expect(few.length).toBe(4);
});

it('by name, on the command line too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-sequences-'));
  try {
    const path = join(folder, 'teacher.onnx');
    await writeFile(path, encodeToBytes(counter()));
    const methods = await combine([readMethod(`sequence-level:teacher=${path},temperature=0`)]);
    const log = new MemoryLog();
    const { evaluation } = await train({
      network: gpt2({
        vocabulary: 5,
        features: 16,
        depth: 1,
        heads: 2,
        maxTokens: 6,
        dropout: 0,
        training: true,
      }),
      data: {
        train: text(),
        test: await teacherSequences(counter(), { prompts: [[0], [1], [2]], tokens: 7 }),
      },
      objective: languageModel(),
      optimizer: adamW(),
      learningRate: 0.02,
      batchSize: 5,
      updates: 40,
      methods,
      logs: [log],
      session: { threads: 1 },
    });
    // The text itself says nothing like it.
    expect(evaluation!.loss).toBeLessThan(0.3);
  } finally {
    await rm(folder, { recursive: true });
  }
  await expect(combine([readMethod('sequence-level')])).rejects.toThrow(/needs a teacher/);
});

it('is for language models', async () => {
  const images = { length: 1, fields: { x: { dtype: 'float32', shape: [2] } } } as const;
  const method = sequenceTraining({ teacher: { model: counter() } });
  await expect(method.trainOn!({ ...images, batch: () => Promise.reject(new Error()) })).rejects.toThrow(
    /language models only.*have x/,
  );
});
