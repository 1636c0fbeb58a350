import { expect } from 'vitest';
import type { Tensor } from '../../src/graph/tensor.js';

/** A tensor as the golden files hold it. */
export interface Numbers {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** Largest difference, relative to the largest expected magnitude. */
export function expectClose(actual: Tensor | undefined, expected: Numbers | Tensor, tolerance = 1e-5): void {
  expect(actual?.dims).toEqual(expected.dims);
  const got = actual!.toFloat32();
  const wanted =
    'data' in expected && Array.isArray(expected.data) ? expected.data : (expected as Tensor).toFloat32();
  let [error, magnitude] = [0, 0];
  for (let i = 0; i < got.length; i++) {
    error = Math.max(error, Math.abs(got[i]! - wanted[i]!));
    magnitude = Math.max(magnitude, Math.abs(wanted[i]));
  }
  expect(error / (magnitude || 1)).toBeLessThan(tolerance);
}
