import type { DType } from '../../graph/dtype.js';
import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { Tensors } from '../../runtime/index.js';

/** Tokens (batch, width) that are all there, none of them padding. */
type Sequences = readonly (readonly number[])[];

/** How an input of a decoder is filled for whole sequences; `undefined` where it cannot be. */
type Filler = (input: Value) => ((sequences: Sequences) => Tensor) | undefined;

/** Inputs that decoders are exported with, by their names. */
const FILLERS: readonly (readonly [name: RegExp, filler: Filler])[] = [
  [/attention_mask$/, input => eachToken(input, () => 1)],
  [/position_ids$|^cache_position$/, input => eachToken(input, at => at)],
  [/token_type_ids$/, input => eachToken(input, () => 0)],
  [/^past/, emptyCache],
  [
    /^use_cache_branch$/,
    input => (input.dtype === 'bool' ? () => Tensor.fromNumbers('bool', [1], [0]) : undefined),
  ],
];

/**
 * What a decoder without a cache is fed for whole sequences: tokens into `input_ids`, or the only input of integers;
 * masks of ones, positions, a single segment, an empty cache.
 * @throws WhittleError naming an input that nothing of this fills
 */
export function sequenceFeeds({ graph, path }: Model): (sequences: Sequences) => Tensors {
  const place = path === undefined ? {} : { file: path };
  const required = graph.inputs.filter(({ initializer }) => !initializer);
  const [only, ...others] = required.filter(
    input => isInteger(input.dtype) && !FILLERS.some(([pattern]) => pattern.test(input.name)),
  );
  const ids = required.find(({ name }) => name === 'input_ids') ?? (others.length === 0 ? only : undefined);
  if (!ids || !isInteger(ids.dtype)) {
    throw new WhittleError('the teacher has no input for tokens', {
      ...place,
      hint: `It reads ${required.map(({ name }) => name).join(', ')}; tokens are integers, in "input_ids" or an only input`,
    });
  }
  const fill = required.map(input => {
    if (input === ids) return [input.name, tokensOf(ids.dtype as IntegerType)] as const;
    const [, filler] = FILLERS.find(([pattern]) => pattern.test(input.name)) ?? [];
    const filled = filler?.(input);
    if (filled) return [input.name, filled] as const;
    throw new WhittleError(
      `the teacher requires ${input.dtype} [${input.shape?.map(dim => dim ?? '?').join(', ') ?? '?'}], of which sequences of tokens say nothing`,
      {
        ...place,
        value: input.name,
        hint: 'Export it as a decoder of tokens, attention_mask and position_ids, or give the input a default',
      },
    );
  });
  return sequences => Object.fromEntries(fill.map(([name, make]) => [name, make(sequences)]));
}

type IntegerType = 'int64' | 'int32';

const isInteger = (dtype: DType | undefined): dtype is IntegerType => dtype === 'int64' || dtype === 'int32';

const tokensOf =
  (dtype: IntegerType) =>
  (sequences: Sequences): Tensor =>
    Tensor.fromNumbers(dtype, [sequences.length, sequences[0]!.length], sequences.flat());

/** (batch, tokens), or (tokens) where the model has no batch there. */
function eachToken(input: Value, value: (at: number) => number): ReturnType<Filler> {
  const { dtype, shape } = input;
  if (!dtype || dtype === 'string' || (shape?.length !== 2 && shape?.length !== 1)) return undefined;
  return sequences => {
    const row = sequences[0]!.map((_, at) => value(at));
    if (shape.length === 1) return Tensor.fromNumbers(dtype, [row.length], row);
    return Tensor.fromNumbers(
      dtype,
      [sequences.length, row.length],
      sequences.flatMap(() => row),
    );
  };
}

/** (batch, heads, 0, headDim): nothing has been seen yet. */
function emptyCache({ dtype, shape }: Value): ReturnType<Filler> {
  const [, heads, , headDim] = shape ?? [];
  if (!dtype || shape?.length !== 4 || typeof heads !== 'number' || typeof headDim !== 'number')
    return undefined;
  return sequences => Tensor.fromNumbers(dtype, [sequences.length, heads, 0, headDim], []);
}
