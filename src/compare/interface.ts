import type { Sample } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Session, Tensors } from '../runtime/index.js';

/** Feeds one model with another's inputs, and calls its outputs by the other's names. */
export interface Matched {
  run(sample: Sample): Promise<Tensors>;
  /** The inputs under this model's own names. */
  feeds(sample: Sample): Sample;
  /** Said where names differ and places had to do. */
  readonly note?: string;
}

/**
 * Matches inputs and outputs of two models: by name, or, where a tool renamed them, by place where the dtypes of the
 * inputs agree.
 * @throws WhittleError where the models do not take the same inputs or give as many outputs
 */
export function matchInterface(first: Session, other: Session, name: string): Matched {
  const inputs = pair(first.inputs, other.inputs, 'inputs', name, true);
  const outputs = pair(first.outputs, other.outputs, 'outputs', name, false);
  const renamed = [...inputs, ...outputs].filter(([a, b]) => a !== b).map(([a, b]) => `${a} as ${b}`);
  const feeds = (sample: Sample): Sample =>
    Object.fromEntries(
      inputs.flatMap(([a, b]) => (sample[a] === undefined ? [] : [[b, sample[a]] as const])),
    );
  return {
    feeds,
    async run(sample) {
      const results = await other.run(feeds(sample));
      return Object.fromEntries(outputs.map(([a, b]) => [a, results[b]!]));
    },
    ...(renamed.length > 0 && { note: `${name} has other names, matched by place: ${renamed.join(', ')}.` }),
  };
}

type Info = Session['inputs'][number];

function pair(
  first: readonly Info[],
  other: readonly Info[],
  what: 'inputs' | 'outputs',
  file: string,
  sameDtype: boolean,
): (readonly [string, string])[] {
  const names = new Map(other.map(info => [info.name, info]));
  if (first.length === other.length && first.every(({ name }) => names.has(name))) {
    const wrong = sameDtype && first.find(({ name, dtype }) => names.get(name)!.dtype !== dtype);
    if (!wrong) return first.map(({ name }) => [name, name]);
  }
  const alike = first.every(({ dtype }, i) => !sameDtype || dtype === other[i]?.dtype);
  if (first.length !== other.length || !alike) {
    const list = (infos: readonly Info[]) => infos.map(({ name, dtype }) => `${name} ${dtype}`).join(', ');
    throw new WhittleError(
      `its ${what} are not those of the first model: ${list(other)} instead of ${list(first)}`,
      { file, hint: 'Compare versions of one model' },
    );
  }
  return first.map(({ name }, i) => [name, other[i]!.name]);
}
