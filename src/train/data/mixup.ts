import type { Batch } from '../../datasets/dataset.js';
import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Random } from '../../random/random.js';
import type { Transform } from './transform.js';

export interface MixupOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Both parameters of the Beta distribution that shares are drawn from, positive; default 0.2. */
  readonly alpha?: number;
  /** Fields that are mixed; default `['pixel_values']`. */
  readonly fields?: readonly string[];
  /** The field of the class numbers, which becomes probabilities (batch, classes); default `labels`. */
  readonly labels?: string;
}

/**
 * Mixes each example with another of the batch, labels too: λx + (1 − λ)x′ with one λ ~ Beta(α, α) for the batch.
 * Train with `classification({ soft: true })`.
 * Zhang et al., ICLR 2018, https://arxiv.org/abs/1710.09412.
 * @throws WhittleError for an alpha that is not positive; the transform for a batch without such labels or fields
 */
export function mixup(options: MixupOptions): Transform {
  const { classes, alpha = 0.2, fields = ['pixel_values'], labels = 'labels' } = options;
  if (!(alpha > 0 && Number.isFinite(alpha))) {
    throw new WhittleError(`alpha of mixup must be a positive number, not ${alpha}`);
  }
  return (batch, random) => {
    const share = beta(random, alpha);
    const targets = oneHot(batch, labels, classes);
    const partners = random.permutation(targets.dims[0]!);
    const mixed: Record<string, Tensor> = { ...batch, [labels]: mix(targets, partners, share) };
    for (const field of fields) mixed[field] = mix(realField(batch, field), partners, share);
    return mixed;
  };
}

function realField(batch: Batch, field: string): Tensor {
  const tensor = batch[field];
  if (tensor?.dtype === 'float32') return tensor;
  throw new WhittleError(
    tensor
      ? `mixup mixes float32 fields, this one is ${tensor.dtype}`
      : `mixup finds no field to mix; the batch holds ${Object.keys(batch).join(', ')}`,
    { value: field, hint: "Name what to mix, as in fields: ['input']" },
  );
}

function oneHot(batch: Batch, field: string, classes: number): Tensor {
  const labels = batch[field];
  if (labels?.dims.length !== 1)
    throw new WhittleError('mixup needs one label per example', { value: field });
  const result = new Float32Array(labels.size * classes);
  for (const [i, label] of labels.toNumbers().entries()) {
    if (!(label >= 0 && label < classes)) {
      throw new WhittleError(`label ${label} of example ${i} is not one of ${classes} classes`, {
        value: field,
      });
    }
    result[i * classes + label] = 1;
  }
  return Tensor.float32([labels.size, classes], result);
}

function mix(tensor: Tensor, partners: Uint32Array, share: number): Tensor {
  const data = tensor.toFloat32();
  const size = sizeOf(tensor.dims.slice(1));
  const result = new Float32Array(data.length);
  for (let i = 0; i < partners.length; i++) {
    const other = partners[i]! * size;
    for (let j = 0; j < size; j++) {
      result[i * size + j] = share * data[i * size + j]! + (1 - share) * data[other + j]!;
    }
  }
  return Tensor.float32(tensor.dims, result);
}

/** A draw of Beta(α, α) as the quotient of two Gamma draws. */
function beta(random: Random, alpha: number): number {
  const [x, y] = [gamma(random, alpha), gamma(random, alpha)];
  // Both vanish only where α is tiny; then all of one example is as good as all of the other.
  return x + y > 0 ? x / (x + y) : 1;
}

/** Marsaglia & Tsang, "A simple method for generating gamma variables", 2000; below 1 by their boost. */
function gamma(random: Random, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const x = random.normal();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
