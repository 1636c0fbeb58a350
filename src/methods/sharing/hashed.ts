import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { normal } from '../../nn/initializers.js';
import type { Network } from '../../nn/network.js';
import type { Scope } from '../../nn/scope.js';
import { Random } from '../../random/random.js';
import { choice, integer, number, text } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { LAYER_WORDS, selectLayers } from '../select-layers.js';
import { meanSquare, storedWeights, substituteParameter } from './substitute.js';

/**
 * A hash of element numbers t = 0, 1, 2, …: a random cubic over the field of integers modulo this prime, so that the
 * buckets of any four elements are independent (Wegman & Carter, 1981). Products fit 64-bit integers. It is computed
 * inside the graph, so that a file holds the shared numbers and four coefficients, but no table of indices.
 */
const PRIME = 2 ** 31 - 1;

export interface HashOptions {
  /** Distinct numbers that the elements share. */
  readonly buckets: number;
  readonly seed: number;
  /** Of an independent hash; the parameter's name. */
  readonly stream: string;
}

/** Bucket of an element, and whether its sign is turned. */
export function hashOf(t: number, { buckets, seed, stream }: HashOptions): { bucket: number; sign: 1 | -1 } {
  const hash = coefficients(seed, stream).reduce((sum, c) => (sum * BigInt(t) + c) % BigInt(PRIME), 0n);
  const whole = Number(hash);
  return { bucket: whole % buckets, sign: Math.floor(whole / buckets) % 2 === 0 ? 1 : -1 };
}

function coefficients(seed: number, stream: string): bigint[] {
  const random = new Random(seed, `hash/${stream}`);
  return Array.from({ length: 4 }, () => BigInt(random.integer(PRIME)));
}

/**
 * Makes a weight of a short vector w, W_t = ±w_h(t), both bucket and sign by a seeded hash of the element's number.
 * `start: 'dense'` gives each bucket the mean of the present elements in it, turned by their signs: the nearest there is.
 * @throws WhittleError where fewer than one number or more than the elements remain
 */
export function hashParameter(
  network: Network,
  name: string,
  { fraction, seed, start = 'variance' }: { fraction: number; seed: number; start?: 'variance' | 'dense' },
): void {
  const { dims } = network.parameter(name);
  const size = sizeOf(dims);
  const options: HashOptions = { buckets: Math.round(fraction * size), seed, stream: name };
  if (options.buckets < 1 || options.buckets > size || size > PRIME) {
    throw new WhittleError(`${options.buckets} shared numbers do not fit ${size} elements`, { value: name });
  }
  const initializer =
    start === 'dense'
      ? constantData(bucketMeans(network.tensor(name).toFloat32(), options))
      : normal(Math.sqrt(meanSquare(network, name)));
  substituteParameter(network, name, scope => {
    const shared = scope.parameter('hashed', [options.buckets], { kind: 'weight', initializer });
    const { bucket, sign } = hashNodes(scope, size, options);
    const picked = scope.op('Gather', [shared, bucket], { axis: 0 });
    return scope.reshape(scope.op('Mul', [picked, sign]), ...dims);
  });
}

/** The same hash as `hashOf`, of all elements, as int64 nodes that depend on constants alone. */
function hashNodes(scope: Scope, size: number, options: HashOptions): { bucket: Value; sign: Value } {
  const whole = (value: number | bigint): Value =>
    scope.constant(`index/${value}`, () => Tensor.int64([value], []));
  const [first, ...others] = coefficients(options.seed, options.stream);
  const t = scope.range(scope.int64(size));
  let hash = whole(first!);
  for (const c of others) {
    const next = scope.op('Add', [scope.op('Mul', [hash, t]), whole(c)]);
    hash = scope.op('Mod', [next, whole(PRIME)]);
  }
  const buckets = whole(options.buckets);
  const odd = scope.op('Mod', [scope.op('Div', [hash, buckets]), whole(2)]);
  const sign = scope.op('Sub', [
    scope.scalar(1),
    scope.op('Mul', [scope.cast(odd, 'float32'), scope.scalar(2)]),
  ]);
  return { bucket: scope.op('Mod', [hash, buckets]), sign };
}

function bucketMeans(weight: Float32Array, options: HashOptions): Float32Array {
  const sums = new Float64Array(options.buckets);
  const counts = new Float64Array(options.buckets);
  weight.forEach((value, t) => {
    const { bucket, sign } = hashOf(t, options);
    sums[bucket]! += sign * value;
    counts[bucket]! += 1;
  });
  return Float32Array.from(sums, (sum, k) => sum / (counts[k] || 1));
}

const constantData = (data: Float32Array) => () => data.slice();

export const hashedMethod = defineMethod({
  name: 'hashed',
  family: 'sharing',
  summary: 'Weights drawn from a short vector by a hash of their position.',
  paper: {
    title: 'Compressing Neural Networks with the Hashing Trick',
    authors: 'Chen, Wilson, Tyree, Weinberger, Chen',
    year: 2015,
    url: 'https://arxiv.org/abs/1504.04788',
  },
  settings: {
    layers: text(
      'all',
      `which linear and convolution layers: ${LAYER_WORDS.join(', ')}, or paths with *, joined by +`,
    ),
    fraction: number(0.1, { min: 1e-6, max: 1, description: 'numbers left, as a fraction of the elements' }),
    seed: integer(0, { min: 0, description: 'of the hash' }),
    start: choice(
      'variance',
      ['variance', 'dense'],
      'random numbers, or those nearest to the present weight',
    ),
  },
  create: values => ({
    name: 'hashed',
    layerClaim: storedWeights(values.layers),
    prepare(network) {
      for (const { weight } of selectLayers(network, values.layers, ['linear', 'conv'])) {
        // Layers may share a weight.
        if (network.parameters.has(weight.name)) hashParameter(network, weight.name, values);
      }
    },
  }),
});
