import { WhittleError } from '../graph/errors.js';
import { checkClaims, inOrder } from '../train/claims.js';
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

/** Where methods of a family are described. */
export const PAGES: Readonly<Record<Family, string>> = {
  factorized: 'docs/factorized.md',
  structured: 'docs/methods-from-scratch/structured.md',
  sparse: 'docs/methods-from-scratch/sparse.md',
  quantized: 'docs/methods-from-scratch/quantized.md',
  sharing: 'docs/methods-from-scratch/sharing.md',
  penalty: 'docs/methods-from-scratch/penalties.md',
  distillation: 'docs/methods-from-scratch/distillation.md',
};

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

/**
 * Makes methods that train one network together, in the order in which they act, and reads the files that they need.
 * What they claim is checked here, which layers they share when a training begins (`prepareNetwork`).
 * @throws WhittleError naming two methods that both claim the masks, the schedule, the teacher and so on, or a file that
 *   cannot be read
 */
export async function combine(chosen: readonly ChosenMethod[]): Promise<TrainingMethod[]> {
  checkClaims(chosen.map(({ entry: { name, claims = [] } }) => ({ name, claims })));
  const methods = await Promise.all(chosen.map(({ entry, values }) => entry.create(values)));
  checkClaims(methods);
  return inOrder(methods);
}
