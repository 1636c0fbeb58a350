import type { Value } from '../../../graph/value.js';
import type { Factor } from '../factors.js';
import type { Form } from '../forms.js';
import { imageDims } from '../layout.js';
import type { Rule } from './rule.js';

/**
 * BatchNormalization as a form of its input, so that what follows (a residual, a ReLU) is done in the same pass
 * (Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167).
 */
export const batchNormalization: Rule = (node, layout) => {
  const [x, scale, offset, mean, variance] = node.inputs;
  if (!imageDims(node.output) || !layout.has(x) || !scale || !offset || !mean || !variance) return false;
  const { b, forms, factors } = layout;
  const form = layout.form(x);
  const epsilon = node.float('epsilon', 1e-5);
  const perChannel = (v: Value): Value => b.reshape(v, [1, v.fixedShape![0]!, 1, 1]);
  const normalize = (centered: Form, spread: Factor): void => {
    const inverse = factors.reciprocal(b.sqrt(factors.add(spread, epsilon) as Value));
    const scaled = forms.scale(centered, factors.mul(perChannel(scale), inverse));
    layout.define(node.output, forms.shift(scaled, perChannel(offset)));
  };
  if (node.int('training_mode', 0) === 0) {
    const centered = forms.shift(form, factors.mul(perChannel(mean), -1));
    normalize(centered, perChannel(variance));
    return true;
  }
  const centered = forms.center(form);
  const spread = forms.meanProduct(centered, centered);
  normalize(centered, spread);
  const momentum = node.float('momentum', 0.9);
  const moved = (old: Value, now: Factor): Value =>
    b.add(b.mul(old, momentum), b.reshape(factors.mul(now, 1 - momentum) as Value, old.fixedShape!));
  const [, nextMean, nextVariance] = node.outputs;
  if (nextMean) layout.replace(nextMean, moved(mean, forms.mean(form)));
  if (nextVariance) layout.replace(nextVariance, moved(variance, spread));
  return true;
};
