import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { toInference } from '../../src/nn/inference.js';
import { dropout } from '../../src/nn/layers/dropout.js';
import { seedDropout } from '../../src/nn/seed-dropout.js';
import { layerNetwork, run } from './run.js';

const ROWS = 256;
const COLUMNS = 192;

function network(rate: number, count = 1) {
  const built = layerNetwork(
    [COLUMNS],
    (scope, x) => {
      let y = dropout(scope, x, rate);
      for (let i = 1; i < count; i++) y = dropout(scope, y, rate);
      return y;
    },
    { training: true },
  );
  const seed = built.graph.addInput('seed', tensorType('uint32', []));
  expect(seedDropout(built.graph, seed)).toBe(count);
  return built.toModel();
}

/** What becomes of ones. */
async function drop(rate: number, seed: number, count = 1): Promise<Float32Array> {
  const x = Tensor.float32([ROWS, COLUMNS], new Float32Array(ROWS * COLUMNS).fill(1));
  const { y } = await run(network(rate, count), { x, seed: Tensor.from('uint32', [], Uint32Array.of(seed)) });
  return y!.toFloat32();
}

/** Standard deviations by which a share of successes lies off its expectation. */
const deviation = (share: number, expected: number, trials: number): number =>
  Math.abs(share - expected) / Math.sqrt((expected * (1 - expected)) / trials);

describe('seeded dropout', () => {
  it('keeps a share of 1 − rate and scales by its reciprocal', async () => {
    for (const rate of [0.1, 0.5]) {
      const y = await drop(rate, 3);
      expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
      const kept = y.filter(v => v > 0).length / y.length;
      expect(deviation(kept, 1 - rate, y.length)).toBeLessThan(4);
    }
  });

  it('repeats itself for the same seed only', async () => {
    const [a, b, c] = [await drop(0.5, 1), await drop(0.5, 1), await drop(0.5, 2)];
    expect(b).toEqual(a);
    const equal = a.filter((v, i) => v === c[i]).length / a.length;
    expect(deviation(equal, 0.5, a.length)).toBeLessThan(4);
  });

  it('drops neighbours, rows, columns and corners of rectangles independently', async () => {
    for (const seed of [0, 1, 12345, 2 ** 32 - 1]) {
      const y = await drop(0.5, seed);
      const kept = (row: number, column: number): number => (y[row * COLUMNS + column]! > 0 ? 1 : 0);
      const pairs: Record<string, number[]> = { right: [], below: [], parity: [] };
      for (let r = 0; r + 1 < ROWS; r++) {
        for (let c = 0; c + 1 < COLUMNS; c++) {
          pairs.right!.push(kept(r, c) ^ kept(r, c + 1));
          pairs.below!.push(kept(r, c) ^ kept(r + 1, c));
          pairs.parity!.push(kept(r, c) ^ kept(r + 1, c) ^ kept(r, c + 1) ^ kept(r + 1, c + 1));
        }
      }
      for (const [name, bits] of Object.entries(pairs)) {
        const share = bits.reduce((sum, bit) => sum + bit, 0) / bits.length;
        expect(deviation(share, 0.5, bits.length), `${name}, seed ${seed}`).toBeLessThan(5);
      }
      // Counts per row and column vary as those of independent draws: variance n / 4.
      for (const [count, length, at] of [
        [ROWS, COLUMNS, (i: number, j: number) => kept(i, j)],
        [COLUMNS, ROWS, (i: number, j: number) => kept(j, i)],
      ] as const) {
        let variance = 0;
        for (let i = 0; i < count; i++) {
          let sum = 0;
          for (let j = 0; j < length; j++) sum += at(i, j);
          variance += (sum - length / 2) ** 2 / count;
        }
        const ratio = variance / (length / 4);
        expect(Math.abs(ratio - 1) / Math.sqrt(2 / count), `seed ${seed}`).toBeLessThan(5);
      }
    }
  });

  it('differs from place to place', async () => {
    const y = await drop(0.5, 9, 2);
    const kept = y.filter(v => v > 0).length / y.length;
    expect(deviation(kept, 0.25, y.length)).toBeLessThan(4);
  });

  it('is gone in inference form', () => {
    const built = layerNetwork([4], (scope, x) => scope.op('Relu', [dropout(scope, x, 0.5)]), {
      training: true,
    });
    expect([...toInference(built).graph.nodes].map(n => n.opType)).toEqual(['Relu']);
    expect(layerNetwork([4], (scope, x) => scope.op('Relu', [dropout(scope, x, 0.5)])).graph.nodes.size).toBe(
      1,
    );
  });
});
