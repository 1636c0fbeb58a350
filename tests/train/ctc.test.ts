import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Graph, gradients, Model, Tensor, tensorType, typedBuilder } from '../../src/graph/index.js';
import { evaluate, releaseEvaluated } from '../../src/runtime/index.js';
import { type CtcOptions, ctcLoss } from '../../src/train/ctc.js';
import { checkGradients } from '../autodiff/check.js';
import { Random } from '../autodiff/random.js';

afterAll(releaseEvaluated);

interface Problem {
  readonly dims: readonly [batch: number, steps: number, classes: number];
  readonly logits: readonly number[];
  /** Filled up with blanks. */
  readonly labels: readonly (readonly number[])[];
  readonly blank: number;
}

/** Losses of single lines and the gradient of their sum, in float64. */
async function solve(
  { dims, logits, labels, blank }: Problem,
  options: CtcOptions = { reduction: 'none' },
  opset = 17,
) {
  const model = new Model(new Graph());
  model.opsets = new Map([['', opset]]);
  const { graph } = model;
  const length = labels[0]!.length;
  const x = graph.addInput('x', tensorType('float64', dims));
  const y = graph.addInput('y', tensorType('int64', [dims[0], 'length']));
  const b = typedBuilder(model);
  const losses = ctcLoss(b, x, y, { blank, ...options });
  const total = options.reduction === 'none' ? b.sum(losses, [0]) : losses;
  const [gradient] = gradients(model, total, [x]);
  graph.addOutput(losses, 'losses');
  graph.addOutput(b.op('Identity', [gradient!]), 'gradient');
  const found = await evaluate(model, {
    x: Tensor.fromNumbers('float64', dims, logits),
    y: Tensor.int64(labels.flat(), [dims[0], length]),
  });
  return { losses: found.losses!.toNumbers(), gradient: found.gradient!.toNumbers() };
}

/** −ln of the sum over all ways to choose a class at each step, by trying them all. */
function byEnumeration({ dims: [, steps, classes], logits, labels, blank }: Problem, row: number): number {
  const wanted = labels[row]!.filter(label => label !== blank).join();
  const at = (step: number, c: number): number => logits[(row * steps + step) * classes + c]!;
  const norm = Array.from({ length: steps }, (_, step) =>
    Array.from({ length: classes }, (_, c) => Math.exp(at(step, c))).reduce((a, v) => a + v),
  );
  let sum = 0;
  for (let code = 0; code < classes ** steps; code++) {
    const path = Array.from({ length: steps }, (_, step) => Math.floor(code / classes ** step) % classes);
    const read = path.filter((c, i) => c !== blank && c !== path[i - 1]).join();
    if (read !== wanted) continue;
    sum += path.reduce((product, c, step) => (product * Math.exp(at(step, c))) / norm[step]!, 1);
  }
  return -Math.log(sum);
}

/** Small problems whose labels fit into the steps. */
const problems: fc.Arbitrary<Problem> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    steps: fc.integer({ min: 1, max: 5 }),
    classes: fc.integer({ min: 2, max: 4 }),
    length: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
  })
  .map(({ batch, steps, classes, length, seed }) => {
    const random = new Random(seed);
    const blank = Math.floor(random.uniform() * classes);
    const labels = Array.from({ length: batch }, () => {
      const row: number[] = [];
      for (let needed = 0; row.length < length; ) {
        const label = Math.floor(random.uniform() * classes);
        needed += label === row.at(-1) ? 2 : 1;
        if (label === blank || needed > steps) break;
        row.push(label);
      }
      return [...row, ...new Array<number>(length - row.length).fill(blank)];
    });
    const dims = [batch, steps, classes] as const;
    return { dims, labels, blank, logits: [...random.normals(batch * steps * classes)].map(v => 3 * v) };
  });

describe('CTC', () => {
  it('adds up all ways to spell the labels', async () => {
    await fc.assert(
      fc.asyncProperty(problems, async problem => {
        const { losses } = await solve(problem);
        for (const [row, loss] of losses.entries()) expect(loss).toBeCloseTo(byEnumeration(problem, row), 9);
      }),
      { numRuns: 25 },
    );
  });

  it('has the gradient that differences find', async () => {
    const random = new Random(11);
    for (const { dims, labels, blank } of fc.sample(problems, { numRuns: 6, seed: 5 })) {
      const flat = Tensor.int64(labels.flat(), [dims[0], labels[0]!.length]);
      await checkGradients(
        {
          variables: [{ dims }],
          build: (b, [x]) => ctcLoss(b, x!, b.constant(flat), { blank, reduction: 'none' }),
          truth: 'float64',
        },
        random,
      );
    }
  });

  const golden = JSON.parse(readFileSync(new URL('golden/ctc.json', import.meta.url), 'utf8')) as (Problem & {
    losses: number[];
    gradient: number[];
  })[];

  it("gives PyTorch's losses and gradients", async () => {
    expect(golden).toHaveLength(3);
    for (const { losses, gradient, ...problem } of golden) {
      for (const opset of [17, 21]) {
        const found = await solve(problem, { reduction: 'none' }, opset);
        expect(found.losses).toHaveLength(losses.length);
        for (const [i, loss] of found.losses.entries()) expect(loss).toBeCloseTo(losses[i]!, 9);
        for (const [i, g] of found.gradient.entries()) expect(g).toBeCloseTo(gradient[i]!, 9);
      }
    }
  });

  it('is averaged over lines, or summed', async () => {
    const { losses, gradient: _, ...problem } = golden[0]!;
    const sum = losses.reduce((a, v) => a + v);
    expect((await solve(problem, { reduction: 'sum' })).losses[0]).toBeCloseTo(sum, 9);
    expect((await solve(problem, { reduction: 'mean' })).losses[0]).toBeCloseTo(sum / losses.length, 9);
  });

  it('is a number for labels that do not fit', async () => {
    const { losses, gradient } = await solve({
      dims: [2, 3, 2],
      logits: new Array(12).fill(0),
      labels: [
        [1, 1, 1],
        [1, 1, 0],
      ],
      blank: 0,
    });
    expect(losses[0]).toBeGreaterThan(1e29);
    expect(losses[1]).toBeCloseTo(Math.log(8), 9);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });

  it('refuses an open number of steps', () => {
    const model = new Model(new Graph());
    const x = model.graph.addInput('x', tensorType('float32', [1, 'steps', 5]));
    const y = model.graph.addInput('y', tensorType('int64', [1, 2]));
    expect(() => ctcLoss(typedBuilder(model), x, y)).toThrow(/number of steps is known.*sizes/s);
  });
});
