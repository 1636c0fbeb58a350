import { WhittleError } from '../graph/errors.js';
import type { Network } from '../nn/network.js';
import type { TrainingMethod } from './method.js';

/*
 * What methods of one training must not take from each other. A claim is the end of the sentence “both decide …”; the
 * names here are those that several methods know.
 */
export const CLAIMS = {
  masks: 'the masks',
  numbers: 'the numbers that weights may be',
  schedule: 'the schedule',
  teacher: 'the teacher',
} as const;

/**
 * What computes a layer: `dense`, one weight, as networks are built; `shared`, one weight that other layers have too;
 * `layers`, several dense layers in its place; `factors`, tensors that are no layers, but have a weight in each element;
 * `computed`, a weight that each step computes from other numbers.
 */
export type LayerForm = 'dense' | 'shared' | 'layers' | 'factors' | 'computed';

/** What a method does to layers. */
export interface LayerClaim {
  /**
   * Paths of the layers that it changes or acts on, asked before any method has changed the network.
   * @throws WhittleError where there are none
   */
  of(network: Network): Iterable<string>;
  /** Forms of a layer on which it can act. */
  readonly accepts: readonly LayerForm[];
  /** What it makes of them; absent where they stay what they are. */
  readonly gives?: LayerForm;
}

/** Whoever claims something. */
export type Claimant = Pick<TrainingMethod, 'name' | 'claims' | 'moment'>;

/** @throws WhittleError naming two that claim the same */
export function checkClaims(claimants: readonly Claimant[]): void {
  const owners = new Map<string, string>();
  for (const { name, claims = [], moment } of claimants) {
    for (const claim of [...claims, ...(moment ? [CLAIMS.schedule] : [])]) {
      const other = owners.get(claim);
      if (other !== undefined) {
        throw new WhittleError(`${other} and ${name} do not combine: both decide ${claim}`, {
          hint: 'Leave one of them out',
        });
      }
      owners.set(claim, name);
    }
  }
}

/** Where two methods are to change the same layers. */
export const WAY_OUT =
  'Give them different layers where they have the setting `layers`, or leave one of them out';

/** Paths in an error; the rest is counted. */
const NAMED = 3;

/**
 * Follows the layers through the methods, in their order.
 * @param network as no method has changed it, its layers recorded
 * @throws WhittleError naming the layers, a method that changes them, and one that cannot act on what that leaves
 */
export function checkLayers(methods: readonly TrainingMethod[], network: Network): void {
  const forms = new Map<string, { readonly form: LayerForm; readonly by: TrainingMethod }>();
  const actors = new Map<string, TrainingMethod>();
  for (const method of methods) {
    const { layerClaim } = method;
    if (!layerClaim) continue;
    const { accepts, gives } = layerClaim;
    const paths = pathsOf(layerClaim, network);
    for (const [path, { form, by }] of forms) {
      if (!paths.has(path) || accepts.includes(form)) continue;
      const taken = [...paths].filter(other => forms.get(other)?.by === by);
      throw new WhittleError(
        `${by.name} and ${method.name} do not combine: ${by.name} changes layers that ${method.name} acts on (${listed(taken)})`,
        { hint: WAY_OUT },
      );
    }
    for (const path of paths) {
      const actor = actors.get(path);
      if (gives && actor) {
        throw new WhittleError(
          `${actor.name} acts on layers that ${method.name} changes after it, such as ${path}`,
          { hint: `List ${method.name} before ${actor.name}` },
        );
      }
      if (!gives) actors.set(path, method);
      // What is shared in several blocks may be factors all the same.
      else if (gives !== 'shared' || !forms.has(path)) forms.set(path, { form: gives, by: method });
    }
  }
}

/** None where the method finds none: once other methods have changed the network it may, and else it will say so. */
function pathsOf(claim: LayerClaim, network: Network): ReadonlySet<string> {
  try {
    return new Set(claim.of(network));
  } catch (error) {
    if (error instanceof WhittleError) return new Set();
    throw error;
  }
}

function listed(paths: readonly string[]): string {
  const rest = paths.length - NAMED;
  return `${paths.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/**
 * Methods in the order in which they act on a network: those that change the form of layers, those that share them,
 * those that share numbers within one, quantizers, what looks at the result, and what copies it. Else as they were.
 */
export const inOrder = (methods: readonly TrainingMethod[]): TrainingMethod[] =>
  [...methods].sort((a, b) => rank(a) - rank(b));

function rank({ layerClaim, claims = [] }: TrainingMethod): number {
  if (layerClaim?.gives === 'shared') return 1;
  if (layerClaim?.gives) return layerClaim.accepts.includes('shared') ? 2 : 0;
  if (layerClaim && claims.includes(CLAIMS.numbers)) return 3;
  return claims.includes(CLAIMS.teacher) ? 5 : 4;
}
