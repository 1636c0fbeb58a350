import { describe, expect, it } from 'vitest';
import { arrayDataset } from '../../src/datasets/arrays.js';
import { SpanWindows } from '../../src/datasets/span-windows.js';
import { specialTokensAfter } from '../../src/datasets/special-tokens.js';
import { byteTokenizer } from '../../src/datasets/text-tokenizer.js';
import { Tensor } from '../../src/graph/tensor.js';
import { Network, Scope } from '../../src/nn/index.js';
import { measureModel } from '../../src/study/measure-model.js';
import { answerSpans, scoreAnswers, spanExtraction } from '../../src/train/index.js';

describe('span extraction', () => {
  it('is the mean cross-entropy of beginning and end', async () => {
    const network = new Network();
    for (const name of ['start', 'end']) {
      const x = network.input(name, 'float32', ['batch', 'tokens']);
      network.output(`${name}_logits`, new Scope(network).op('Identity', [x]));
    }
    const start = [
      [1, 3, -1],
      [0.5, 0, 2],
    ];
    const end = [
      [2, 0, 1],
      [0, 1, 4],
    ];
    const [first, last] = [
      [1, 0],
      [0, 2],
    ];
    const ints = (values: number[]) => Tensor.from('int64', [2], BigInt64Array.from(values, BigInt));
    const found = await measureModel(network.toModel(), {
      objective: spanExtraction(),
      data: arrayDataset({
        start: Tensor.float32([2, 3], start.flat()),
        end: Tensor.float32([2, 3], end.flat()),
        start_positions: ints(first),
        end_positions: ints(last),
      }),
      session: { threads: 1 },
    });
    const entropy = (row: number[], right: number) =>
      Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[right]!;
    const losses = [0, 1].flatMap(i => [entropy(start[i]!, first[i]!), entropy(end[i]!, last[i]!)]);
    expect(found.loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 4, 5);
    // The first is right at both ends, the second at its end only.
    expect(found.hits).toBe(0.5);
  });

  it('answers with the piece of text that a model points at', async () => {
    const network = new Network();
    const scope = new Scope(network);
    const ids = network.input('input_ids', 'int64', ['batch', 'tokens']);
    for (const [name, character] of [
      ['start_logits', '<'],
      ['end_logits', '>'],
    ] as const) {
      const here = scope.op('Equal', [ids, scope.index(character.charCodeAt(0))]);
      network.output(name, scope.op('Where', [here, scope.scalar(1), scope.scalar(0)]));
    }
    const asked = (id: string, context: string, text: string) => ({
      id,
      title: '',
      context,
      question: 'Which?',
      answers: [{ text, start: context.indexOf(text) }],
    });
    const questions = [
      asked('short', 'It was <not so> there.', '<not so>'),
      asked('long', `${'Nothing here. '.repeat(9)}But <in the end> there is, and more.`, 'the end'),
    ];
    const special = specialTokensAfter(byteTokenizer);
    const windows = new SpanWindows(questions, { tokenizer: byteTokenizer, special, tokens: 60, stride: 15 });
    const options = { batchSize: 3, session: { threads: 1 } };
    expect(windows.length).toBeGreaterThan(4);
    const answers = await answerSpans(network.toModel(), windows, options);
    expect(Object.fromEntries(answers)).toEqual({ short: '<not so>', long: '<in the end>' });
    const { exact, f1 } = await scoreAnswers(network.toModel(), windows, options);
    expect(exact).toBe(0.5);
    // "in end" against "end": precision 1/2, recall 1.
    expect(f1).toBeCloseTo((1 + 2 / 3) / 2, 12);
  });
});
