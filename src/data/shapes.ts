import { WhittleError } from '../graph/errors.js';
import type { Dim } from '../graph/value.js';
import { formatShape, isNamed, type Signature, type TensorInfo } from './sample.js';

/** Sizes for dimensions that a model leaves open. */
export interface ShapeOptions {
  /** Whole shapes by input name, e.g. `{ x: [1, 3, 48, 320] }`. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Sizes by the dimension's own name, e.g. `{ sequence_length: 64 }`. */
  readonly dims?: Readonly<Record<string, number>>;
}

/** Default sizes by what a dimension is called; the first that matches. */
const BY_NAME: readonly (readonly [RegExp, number])[] = [
  [/past/i, 0],
  [/batch|^n$|^b$|^bs$/i, 1],
  [/seq|tok|len|text/i, 32],
  [/height|width|^h$|^w$/i, 224],
  [/sample|audio|wave/i, 16_000],
  [/time|frame|step|^t$/i, 100],
];
const IMAGE_SIDE = 224;
const OTHER = 32;

/** Whether an input looks like images: four axes, 1 or 3 channels. */
export const isImage = ({ shape }: TensorInfo): boolean =>
  shape?.length === 4 && (isChannels(shape[1]) || isChannels(shape[3]));

const isChannels = (dim: Dim | undefined): boolean => dim === 1 || dim === 3;

/**
 * Fixed shapes for all inputs of a model: what the options say, else a default by the dimension's name and place
 * (batch 1, sequences 32, image sides 224). One name means one size throughout.
 * @returns also which sizes were assumed, for people
 * @throws WhittleError where an option does not fit the model
 */
export function chooseShapes(
  signature: Signature,
  { shapes = {}, dims = {} }: ShapeOptions = {},
): { shapes: Map<string, readonly number[]>; assumed: string[] } {
  const sizes = new Map(Object.entries(dims));
  for (const [name, shape] of Object.entries(shapes)) {
    const info = signature.find(input => input.name === name);
    if (!info) {
      throw new WhittleError(`the model has no input "${name}"`, {
        hint: `Its inputs are ${signature.map(input => input.name).join(', ')}`,
      });
    }
    const fits =
      info.shape === undefined ||
      (info.shape.length === shape.length &&
        info.shape.every((dim, i) => typeof dim !== 'number' || dim === shape[i]));
    if (!fits) {
      throw new WhittleError(
        `input "${name}" takes ${formatShape(info.shape)}, the shape given is [${shape.join(', ')}]`,
        { value: name },
      );
    }
    for (const [i, dim] of (info.shape ?? []).entries()) if (isNamed(dim)) sizes.set(dim, shape[i]!);
  }
  const assumed = new Set<string>();
  const chosen = signature.map(info => {
    const given = shapes[info.name];
    if (given) return [info.name, [...given]] as const;
    if (info.shape === undefined) {
      throw new WhittleError(`the model does not give the shape of input "${info.name}"`, {
        value: info.name,
        hint: `Give it, e.g. --shape ${info.name}=1,32`,
      });
    }
    const shape = info.shape.map((dim, axis) => {
      if (typeof dim === 'number' && dim >= 0) return dim;
      const known = isNamed(dim) ? sizes.get(dim) : undefined;
      if (known !== undefined) return known;
      const size = defaultSize(info, dim, axis);
      if (isNamed(dim)) sizes.set(dim, size);
      assumed.add(`${isNamed(dim) ? dim : `axis ${axis} of ${info.name}`} = ${size}`);
      return size;
    });
    return [info.name, shape] as const;
  });
  return { shapes: new Map(chosen), assumed: [...assumed] };
}

function defaultSize(info: TensorInfo, dim: Dim, axis: number): number {
  const named = isNamed(dim) ? BY_NAME.find(([pattern]) => pattern.test(dim)) : undefined;
  if (named) return named[1];
  if (axis === 0) return 1;
  return isImage(info) ? IMAGE_SIDE : OTHER;
}

/**
 * Reads a shape as a command line gives it: `x=1,3,48,320` for an input, `batch=4` for a dimension's name.
 * @throws WhittleError where it is neither
 */
export function parseShapes(texts: readonly string[], signature: Signature): ShapeOptions {
  const shapes: Record<string, readonly number[]> = {};
  const dims: Record<string, number> = {};
  for (const text of texts) {
    const equals = text.lastIndexOf('=');
    const name = text.slice(0, equals).trim();
    const sizes = text
      .slice(equals + 1)
      .split(/[,x×]/)
      .map(part => (part.trim() === '' ? Number.NaN : Number(part)));
    // Of nothing nothing can be learned; only a cache may be empty.
    const least = /past/i.test(name) ? 0 : 1;
    const valid = equals > 0 && sizes.every(size => Number.isInteger(size) && size >= least);
    const isInput = signature.some(info => info.name === name);
    const isDim = signature.some(info => info.shape?.includes(name));
    if (valid && isInput) shapes[name] = sizes;
    else if (valid && isDim && sizes.length === 1) dims[name] = sizes[0]!;
    else {
      throw new WhittleError(`shape "${text}" is not understood`, {
        hint: `Write INPUT=SIZES or DIMENSION=SIZE; the model takes ${signature.map(i => `${i.name} ${formatShape(i.shape)}`).join(', ')}`,
      });
    }
  }
  return { shapes, dims };
}
