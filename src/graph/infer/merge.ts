import { type Dim, tensorType, type ValueType } from '../value.js';

/** What is known of a type from two sides, and where they contradict each other. */
export interface Merged {
  readonly type: ValueType | undefined;
  readonly conflict?: string | undefined;
}

/**
 * How much the side that was known before counts:
 * - `declared`: a file says it; a number of it stands, a name of it gives way to inference;
 * - `interface`: likewise, and its names stand (they are the model's contract);
 * - `advice`: learned or inferred before; it only fills what inference leaves open.
 */
export type Trust = 'declared' | 'interface' | 'advice';

/**
 * Joins what was known of a value (`prior`) with what inference finds. A number says more than a name, a name more
 * than nothing; where the two contradict each other, inference wins.
 */
export function mergeTypes(prior: ValueType | undefined, found: ValueType | undefined, trust: Trust): Merged {
  if (!found) return { type: prior };
  // Files may declare a value without saying anything of it.
  if (!prior || prior.kind === 'opaque') return { type: found };
  if (found.kind === 'opaque') return { type: prior };
  if (prior.kind !== found.kind) {
    return trust === 'advice'
      ? { type: found }
      : { type: found, conflict: `${prior.kind} against ${found.kind}` };
  }
  if (prior.kind === 'tensor' && found.kind === 'tensor') return mergeTensors(prior, found, trust);
  if (
    (prior.kind === 'sequence' || prior.kind === 'optional') &&
    (found.kind === 'sequence' || found.kind === 'optional')
  ) {
    const { type, conflict } = mergeTypes(prior.element, found.element, trust);
    return { type: type && { kind: prior.kind, element: type }, conflict };
  }
  return { type: found };
}

type TensorType = Extract<ValueType, { kind: 'tensor' | 'sparse' }>;

function mergeTensors(prior: TensorType, found: TensorType, trust: Trust): Merged {
  if (prior.dtype && found.dtype && prior.dtype !== found.dtype) {
    const conflict = trust === 'advice' ? undefined : `dtype ${prior.dtype} against ${found.dtype}`;
    return { type: found, conflict };
  }
  const dtype = found.dtype ?? prior.dtype;
  const [old, own] = [prior.shape, found.shape];
  if (!old || !own) return { type: tensorType(dtype, own ?? old) };
  const text = `shape [${old.map(show)}] against [${own.map(show)}]`;
  if (old.length !== own.length) {
    return { type: tensorType(dtype, own), conflict: trust === 'advice' ? undefined : text };
  }
  let conflict: string | undefined;
  const shape = own.map((dim, i): Dim => {
    const before = old[i]!;
    if (dim === null || before === null) return dim ?? before;
    if (trust === 'advice') return dim;
    if (typeof dim === 'number') {
      if (typeof before === 'number' && before !== dim) conflict = text;
      return dim;
    }
    return typeof before === 'number' || trust === 'interface' ? before : dim;
  });
  return { type: tensorType(dtype, shape), conflict };
}

const show = (dim: Dim): Dim => dim ?? '?';
