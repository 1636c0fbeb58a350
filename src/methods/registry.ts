import { WhittleError } from '../graph/errors.js';
import { readSettings } from '../train/config/settings.js';
import type { TrainingMethod } from '../train/method.js';
import { DISTILLATION_METHODS } from './distillation/index.js';
import type { Family, MethodEntry } from './entry.js';
import { FACTORIZED_METHODS } from './factorized/index.js';
import { PENALTIES } from './penalties/index.js';
import { QUANTIZED_METHODS } from './quantized/index.js';
import { SHARING_METHODS } from './sharing/index.js';
import { SPARSE } from './sparse/index.js';
import { STRUCTURED_METHODS } from './structured/index.js';

/** Every method to train a small network with, by family. */
export const METHODS: readonly MethodEntry[] = [
  ...FACTORIZED_METHODS,
  ...STRUCTURED_METHODS,
  ...SPARSE,
  ...SHARING_METHODS,
  ...QUANTIZED_METHODS,
  ...PENALTIES,
  ...DISTILLATION_METHODS,
];

/** A method with the values of its settings. */
export interface ChosenMethod {
  readonly entry: MethodEntry;
  readonly values: Readonly<Record<string, unknown>>;
}

/** @throws WhittleError where there is none of that name */
export function findMethod(name: string, methods: readonly MethodEntry[] = METHODS): MethodEntry {
  const entry = methods.find(other => other.name === name);
  if (entry) return entry;
  throw new WhittleError(`there is no method "${name}"`, {
    hint: `There are ${methods.map(other => other.name).join(', ')}; whittle methods tells of each`,
  });
}

/** Between settings; a comma in a value, such as a file's name, is followed by no `name=`. */
const BETWEEN = /,(?=\w+=)/;

/**
 * Reads a method as it is given on the command line: `rigl`, or with settings `rigl:density=0.1,interval=100`.
 * @throws WhittleError for names and values that make no sense
 */
export function readMethod(text: string, methods: readonly MethodEntry[] = METHODS): ChosenMethod {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const entry = findMethod(name, methods);
  const changes = colon < 0 ? [] : text.slice(colon + 1).split(BETWEEN);
  const values = readSettings(
    entry.settings,
    changes.filter(change => change !== ''),
    { owner: `the method ${name}`, example: `--method ${name}:` },
  );
  return { entry, values };
}

/** In which order families act on a network: the form of its layers first, what watches the whole last. */
const ORDER: readonly Family[] = [
  'factorized',
  'structured',
  'sharing',
  'quantized',
  'penalty',
  'sparse',
  'distillation',
];

/** What a method of a family has to itself; penalties add up, each with a claim of its own. */
const CLAIMS: Readonly<Partial<Record<Family, string>>> = {
  factorized: 'the form of the layers',
  structured: 'the form of the layers',
  sharing: 'which weights are shared',
  quantized: 'the numbers that weights may be',
  sparse: 'the masks',
  distillation: 'the teacher',
};

/**
 * Makes methods that train one network together, in the order in which they act, and reads the files that they need.
 * Those of different families combine where neither claims what the other needs; that is decided first.
 * @throws WhittleError naming two methods that both claim the masks, the form of the layers, the schedule and so on, or
 *   a file that cannot be read
 */
export async function combine(chosen: readonly ChosenMethod[]): Promise<TrainingMethod[]> {
  const owners = new Map<string, MethodEntry>();
  for (const { entry } of chosen) {
    const shared = CLAIMS[entry.family];
    for (const claim of [...(shared === undefined ? [] : [shared]), ...(entry.claims ?? [])]) {
      const other = owners.get(claim);
      if (other) {
        throw new WhittleError(`${other.name} and ${entry.name} do not combine: both decide ${claim}`, {
          hint: 'Leave one of them out',
        });
      }
      owners.set(claim, entry);
    }
  }
  const ordered = [...chosen].sort((a, b) => ORDER.indexOf(a.entry.family) - ORDER.indexOf(b.entry.family));
  return Promise.all(ordered.map(({ entry, values }) => entry.create(values)));
}
