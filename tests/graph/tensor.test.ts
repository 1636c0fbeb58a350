import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';

describe('Tensor', () => {
  it('refuses bytes that do not fit the shape', () => {
    expect(() => new Tensor('float32', [2, 3], new Uint8Array(20))).toThrow(
      'a float32 tensor of shape [2, 3] needs 24 bytes, but has 20',
    );
    expect(() => new Tensor('int4', [3], new Uint8Array(1))).toThrow(/needs 2 bytes/);
  });

  it('keeps numbers that the dtype can hold', () => {
    const exact = {
      float16: [0.5, -2048, 65504],
      bfloat16: [1.5, -3e38],
      int64: [-5, 2 ** 40],
      uint8: [0, 255],
    };
    for (const [dtype, values] of Object.entries(exact)) {
      const back = Tensor.fromNumbers(dtype as 'int64', [values.length], values).toNumbers();
      back.forEach((v, i) => expect(v / values[i]! || 0).toBeCloseTo(values[i] === 0 ? 0 : 1, 2));
    }
  });

  it('rounds to bfloat16 within half a unit in the last place', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) }), x => {
        const [back] = Tensor.fromNumbers('bfloat16', [1], [x]).toNumbers();
        expect(Math.abs(back! - x)).toBeLessThanOrEqual(Math.abs(x) / 256 + 1e-38);
      }),
    );
  });

  it('unpacks int4 low nibble first, with sign', () => {
    expect(new Tensor('int4', [3], Uint8Array.of(0xf1, 0x08)).toNumbers()).toEqual([1, -1, -8]);
    expect(new Tensor('uint4', [3], Uint8Array.of(0xf1, 0x08)).toNumbers()).toEqual([1, 15, 8]);
  });

  it('reads typed arrays from unaligned bytes', () => {
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);
    expect([...new Tensor('float32', [2], bytes.subarray(1)).toFloat32()]).toEqual([1.5, -2]);
  });

  it('refuses integers that JavaScript numbers cannot hold', () => {
    expect(() => Tensor.int64([2n ** 60n]).toNumbers()).toThrow(/out of JavaScript's range/);
  });
});
