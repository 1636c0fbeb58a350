import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { checkSample } from './fit.js';
import {
  formatShape,
  type InputSource,
  indexedSource,
  type Sample,
  type Signature,
  type TensorInfo,
} from './sample.js';
import { stateInput } from './state-inputs.js';
import type { Tokenizer } from './tokenizer.js';

export interface TextOptions {
  /** Longer texts are cut to this many tokens; default 512. */
  readonly maxLength?: number;
  /** How many token ids each input knows, where that is known: a tokenizer with more does not fit the model. */
  readonly vocabulary?: Readonly<Record<string, number | undefined>>;
}

const isInteger = (info: TensorInfo): boolean => info.dtype === 'int64' || info.dtype === 'int32';

/**
 * Lines of text as inputs of a language model, one sample each: `input_ids` (or the only whole-number input) takes
 * the ids, `attention_mask` ones, `token_type_ids` zeros, `position_ids` 0, 1, 2 …; an empty key-value cache is
 * given where one is asked for. Shapes are [1, tokens]; where the model fixes the length, texts are cut or padded,
 * and padding is masked.
 * @throws WhittleError where the model has an input that text cannot fill
 */
export function textInputs(
  lines: readonly string[],
  signature: Signature,
  tokenizer: Tokenizer,
  { maxLength = 512, vocabulary = {} }: TextOptions = {},
): InputSource {
  const ids = findIdsInput(signature);
  checkVocabulary(tokenizer, ids.name, vocabulary[ids.name]);
  const fixed = ids.shape?.at(-1);
  const limit = typeof fixed === 'number' ? fixed : maxLength;
  const encoded = lines.map(line => tokenizer.encode(line));
  const cut = encoded.filter(tokens => tokens.length > limit).length;
  const notes = [
    cut > 0 && `${cut} of ${lines.length} texts were cut to ${limit} tokens.`,
    typeof fixed === 'number' && `Shorter texts are padded to the ${fixed} tokens that the model fixes.`,
  ].filter(note => typeof note === 'string');
  const makeSample = (index: number): Sample => {
    const tokens = encoded[index]!.slice(0, limit);
    const length = typeof fixed === 'number' ? fixed : tokens.length;
    const filled = (value: (i: number) => number, padding: number) =>
      Array.from({ length }, (_, i) => (i < tokens.length ? value(i) : padding));
    const sample: Sample = {};
    for (const info of signature) {
      if (info.optional) continue;
      const integers = (values: number[]) => {
        const dims = info.shape?.length === 1 ? [length] : [1, length];
        return Tensor.fromNumbers(info.dtype, dims, values);
      };
      const state = stateInput(info, length);
      if (info === ids) sample[info.name] = integers(filled(i => tokens[i]!, tokenizer.padId ?? 0));
      else if (state) sample[info.name] = state;
      else if (/mask/.test(info.name)) sample[info.name] = integers(filled(() => 1, 0));
      else if (/token_type|segment/.test(info.name)) sample[info.name] = integers(filled(() => 0, 0));
      else if (/position/.test(info.name)) sample[info.name] = integers(filled(i => i, 0));
      else {
        throw new WhittleError(
          `text does not say what input "${info.name}" (${info.dtype} ${formatShape(info.shape)}) should be`,
          { value: info.name, hint: 'Give .npz files with an array for each input' },
        );
      }
    }
    return checkSample(sample, signature);
  };
  const empty = encoded.findIndex(tokens => tokens.length === 0);
  if (empty >= 0) throw new WhittleError(`text ${JSON.stringify(lines[empty])} gives no tokens`);
  // An input that text cannot fill should be known now, not when the first sample is asked for.
  if (lines.length > 0) makeSample(0);
  return indexedSource({ description: `${lines.length} lines of text`, notes }, lines.length, makeSample);
}

/** A token beyond the embedding table would stop the model, or make it read nonsense. */
function checkVocabulary(tokenizer: Tokenizer, input: string, rows: number | undefined): void {
  const { vocabulary } = tokenizer;
  if (vocabulary === undefined || rows === undefined || vocabulary <= rows) return;
  throw new WhittleError(
    `the tokenizer does not fit the model: it has token ids up to ${vocabulary - 1}, the embedding table ${rows} rows`,
    { value: input, hint: 'Give the tokenizer.json that came with this model' },
  );
}

function findIdsInput(signature: Signature): TensorInfo {
  const integers = signature.filter(info => !info.optional && isInteger(info));
  const found =
    integers.find(info => info.name === 'input_ids') ??
    integers.find(info => /(^|_)(input_?)?ids$/.test(info.name) && !/type|position|mask/.test(info.name)) ??
    (integers.length === 1 ? integers[0] : undefined);
  if (!found) {
    throw new WhittleError('the model has no input for token ids', {
      hint: `Its inputs are ${signature.map(i => `${i.name} (${i.dtype} ${formatShape(i.shape)})`).join(', ')}`,
    });
  }
  return found;
}
