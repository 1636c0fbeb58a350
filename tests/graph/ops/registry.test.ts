import { describe, expect, it } from 'vitest';
import { defineOp, OPS, OpRegistry, STANDARD_OPERATORS } from '../../../src/graph/ops/index.js';

/** Operators without inference: text, images in files, classic features, and what no runtime of ours takes yet. */
const WITHOUT_DEFINITION = [
  'CausalConvWithState',
  'ImageDecoder',
  'LinearAttention',
  'RegexFullMatch',
  'StringConcat',
  'StringNormalizer',
  'StringSplit',
  'TfIdfVectorizer',
];

describe('OpRegistry', () => {
  it('knows the shapes of all operators of the standard but a few', () => {
    const missing = Object.keys(STANDARD_OPERATORS).filter(op => !OPS.get('', op)?.infer);
    expect(missing).toEqual(WITHOUT_DEFINITION);
  });

  it('defines no operator that the standard has not, but one of the runtime', () => {
    const own = [...OPS]
      .filter(d => d.domain === '' && !Object.hasOwn(STANDARD_OPERATORS, d.op))
      .map(d => d.op);
    expect(own).toEqual(['SimplifiedLayerNormalization']);
  });

  it('refuses two definitions of one name, and lets a caller replace one', () => {
    const relu = defineOp({ op: 'Relu' });
    expect(() => new OpRegistry([relu, relu])).toThrow(/Relu is defined twice/);
    const registry = OPS.with([relu]);
    expect(registry.get('', 'Relu')).toBe(relu);
    expect(registry.get('', 'Neg')).toBe(OPS.get('', 'Neg'));
    expect(OPS.get('', 'Relu')).not.toBe(relu);
  });
});
