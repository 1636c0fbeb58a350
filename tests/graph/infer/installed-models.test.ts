import { describe, expect, it } from 'vitest';
import { substitute } from '../../../src/graph/dims.js';
import { analyzeShapes } from '../../../src/graph/infer/index.js';
import { loadModel } from '../../../src/onnx/load.node.js';
import { feedsFor, MODELS } from '../../onnx/installed-models.js';
import { observe, symbolSizes } from '../observe.js';

/** Values of the outer graph whose shape must come out; those of the speech models are nearly all in subgraphs. */
const LEAST_VALUES = 4;

/** Values whose shape depends on sizes that are not given. */
const OPEN: readonly [RegExp, number][] = [
  // Adds maps of ⌈h/16⌉ and 2⌈h/32⌉: equal for the sizes that it accepts, but not for all.
  [/PP-OCRv4_det/, 16],
  // Squeezes an axis where the length of the input makes it 1.
  [/silero_vad_v\d/, 4],
];

describe.each(MODELS)('shapes of %s', path => {
  it('are those that ONNX Runtime computes, for fixed and for symbolic inputs', async () => {
    const model = await loadModel(path);
    const feeds = feedsFor(path);
    const observed = await observe(model, feeds);
    const inputShapes = Object.fromEntries(
      Object.entries(feeds).map(([name, { dims }]) => [name, [...dims]] as const),
    );
    // The speech models have a branch for each sample rate.
    const inputValues: Record<string, number[]> = feeds.sr ? { sr: [16000] } : {};
    const fixed = analyzeShapes(model, { inputShapes, inputValues });
    const symbolic = analyzeShapes(model, { inputValues });
    expect(fixed.problems).toEqual([]);
    expect(symbolic.problems).toEqual([]);
    const sizes = symbolSizes(model.graph, symbolic, observed);

    let values = 0;
    let open = 0;
    for (const node of model.graph.nodes) {
      for (const value of node.outputs) {
        const seen = value && observed.get(value.name);
        if (!seen) continue;
        values++;
        const place = `${node.opType} ${value.name}`;
        expect([place, fixed.typeOf(value)]).toEqual([
          place,
          { kind: 'tensor', dtype: seen.dtype, shape: seen.dims },
        ]);
        const type = symbolic.typeOf(value);
        const shape = type?.kind === 'tensor' ? type.shape : undefined;
        const resolved = shape?.map((dim, i) => (dim === null ? seen.dims[i] : substitute(dim, sizes)));
        expect([place, resolved ?? seen.dims]).toEqual([place, seen.dims]);
        if (!shape || shape.includes(null)) open++;
      }
    }
    expect(values).toBeGreaterThanOrEqual(LEAST_VALUES);
    expect(open).toBe(OPEN.find(([pattern]) => pattern.test(path))?.[1] ?? 0);
  });
});
