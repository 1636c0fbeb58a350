import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exportForInference, mlp, type Network } from '../../src/nn/index.js';
import { modelByteLength } from '../../src/onnx/index.js';
import { factorForSize } from '../../src/study/index.js';

const WIDTH = 64;
const build = (factor: number): Network =>
  mlp({ widths: [10, Math.max(1, Math.round(factor * WIDTH)), 3], training: true, seed: 0 });

test('no whole width comes nearer to the count of parameters', () => {
  fc.assert(
    fc.property(fc.integer({ min: 17, max: build(1).parameterCount() }), count => {
      const distance = (network: Network) => Math.abs(network.parameterCount() - count);
      const found = distance(build(factorForSize(count, build)));
      const widths = Array.from({ length: WIDTH }, (_, i) => (i + 1) / WIDTH);
      expect(found).toBe(Math.min(...widths.map(factor => distance(build(factor)))));
    }),
    { numRuns: 20 },
  );
});

test('bytes of a file, or what else is counted, can be equal instead', () => {
  const bytes = (network: Network) => modelByteLength(exportForInference(network));
  const target = bytes(build(0.5));
  expect(bytes(build(factorForSize(target, build, { sizeOf: bytes })))).toBe(target);
});

test('a size that no factor gives is refused', () => {
  expect(() => factorForSize(1e6, build)).toThrow(/no factor from 0.01 to 1 gives a network of size 1000000/);
});
