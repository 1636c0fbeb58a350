import type { Value } from '../../graph/value.js';
import { type Initializer, normal } from '../initializers.js';
import type { Scope } from '../scope.js';

export interface EmbeddingOptions {
  /** Rows of the table. */
  readonly count: number;
  readonly features: number;
  /** Default standard normal, as in PyTorch. */
  readonly weightInit?: Initializer;
}

/**
 * Looks rows up. Parameter: `weight` (count, features).
 * @param ids (…) int64
 * @returns (…, features)
 */
export function embedding(scope: Scope, ids: Value, options: EmbeddingOptions): Value {
  const { count, features } = options;
  const weight = table(scope, options);
  const output = scope.op('Gather', [weight, ids], { axis: 0 });
  scope.record({
    kind: 'embedding',
    path: scope.path,
    input: ids,
    output,
    weight: scope.network.parameter(weight.name),
    bias: undefined,
    count,
    features,
  });
  return output;
}

/**
 * The first rows of a table, for positions 0, 1, 2, … Parameter: `weight` (count, features).
 * @param tokens how many, an int64 vector of one element
 * @returns (tokens, features)
 */
export function positionEmbedding(scope: Scope, tokens: Value, options: EmbeddingOptions): Value {
  const weight = table(scope, options);
  return scope.op('Slice', [weight, scope.int64(0), tokens, scope.int64(0)]);
}

const table = (scope: Scope, { count, features, weightInit = normal() }: EmbeddingOptions): Value =>
  scope.parameter('weight', [count, features], {
    kind: 'embedding',
    initializer: weightInit,
    fanIn: count,
    fanOut: features,
  });
