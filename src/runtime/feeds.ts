import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Shape } from '../graph/value.js';

/** An input or output of a session. */
export interface ValueInfo {
  readonly name: string;
  /** `undefined` for what is no tensor (sequences, maps). */
  readonly dtype: DType | undefined;
  /** `undefined` where not even the rank is known. */
  readonly shape: Shape | undefined;
}

/** What a feed is checked for: a tensor in memory or on a device. */
interface Fed {
  readonly dtype: DType;
  readonly dims: readonly number[];
}

/**
 * Checks feeds against a model's inputs.
 * @throws WhittleError naming the input, what it expects and what was given
 */
export function checkFeeds(
  inputs: readonly ValueInfo[],
  feeds: Readonly<Record<string, Fed>>,
  file: string | undefined,
): void {
  const place = file === undefined ? {} : { file };
  for (const input of inputs) {
    const { name } = input;
    const fed = feeds[name];
    if (!fed) throw new WhittleError(`input "${name}" is not fed; it expects ${describe(input)}`, place);
    if (input.dtype !== undefined && fed.dtype !== input.dtype) {
      throw new WhittleError(`input "${name}" expects ${describe(input)}, not ${describe(fed)}`, place);
    }
    const { shape } = input;
    if (!shape) continue;
    const fits =
      shape.length === fed.dims.length &&
      shape.every((dim, i) => typeof dim !== 'number' || dim === fed.dims[i]);
    if (!fits)
      throw new WhittleError(`input "${name}" expects ${describe(input)}, not ${describe(fed)}`, place);
  }
  // All inputs are fed; only a surplus is worth the search, which takes time in models of many inputs.
  const names = Object.keys(feeds);
  if (names.length === inputs.length) return;
  for (const name of names) {
    if (!inputs.some(input => input.name === name)) {
      throw new WhittleError(`the model has no input "${name}"; it has ${list(inputs)}`, place);
    }
  }
}

/** `float32 [batch, 3, ?]` */
function describe(value: { dtype: DType | undefined; shape?: Shape | undefined; dims?: Shape }): string {
  const shape = value.shape ?? value.dims;
  return `${value.dtype ?? 'a non-tensor'}${shape ? ` [${shape.map(dim => dim ?? '?').join(', ')}]` : ''}`;
}

const list = (values: readonly ValueInfo[]): string =>
  values.length === 0 ? 'none' : values.map(value => `"${value.name}"`).join(', ');
