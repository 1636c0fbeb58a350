import type { Site } from '../../calibrate/sites.js';
import type { Scored } from '../score.js';
import type { Sensitivity } from '../sensitivity.js';
import { type Allocation, allocateBytes, allocationFront, type Option } from './allocate.js';

/** Everything known of one layer before the choice: what it takes, what it could take, and what that would do. */
export interface LayerStudy {
  readonly site: Site;
  readonly bytesBefore: number;
  readonly scored: readonly Scored[];
  readonly sensitivity: Sensitivity;
  /** Milliseconds that the layer takes in one run, as it is and in each form; measured where the goal is speed. */
  readonly times?: { readonly before: number; readonly of: ReadonlyMap<Scored, number> };
  /** Distortion of the outputs by candidates whose effect the layer's error does not tell. */
  readonly measured?: ReadonlyMap<Scored, number>;
  /** Singular values of the weight in the norm of the outputs, largest first, where they were computed. */
  readonly spectrum?: readonly number[];
}

/** A choice for every layer; `undefined` leaves one as it is. */
export interface Plan {
  readonly choice: ReadonlyMap<Site, Scored | undefined>;
  /** Of the layers together, by the sum of what each takes: bytes, or milliseconds where the goal is speed. */
  readonly price: number;
  /** Predicted distortion of the outputs. */
  readonly distortion: number;
}

/** Turns studies into plans: the least distortion for each price of the layers together. */
export class Planner {
  private readonly studies: readonly LayerStudy[];
  private readonly options: readonly (readonly (Option & { scored: Scored | undefined })[])[];

  constructor(studies: readonly LayerStudy[]) {
    this.studies = studies;
    this.options = studies.map(({ bytesBefore, scored, sensitivity, times, measured }) => [
      { bytes: times?.before ?? bytesBefore, cost: 0, scored: undefined },
      ...scored.map(s => ({
        bytes: times ? (times.of.get(s) ?? times.before) : s.bytes,
        cost: measured?.get(s) ?? sensitivity.predict(s.error),
        scored: s,
      })),
    ]);
  }

  /** All plans that are best for some exchange rate, from the cheapest to the best. */
  front(): Plan[] {
    return allocationFront(this.options).map(allocation => this.plan(allocation));
  }

  /** The best plan whose layers cost at most so much together; `undefined` where none does. */
  within(price: number): Plan | undefined {
    const allocation = allocateBytes(this.options, price);
    return allocation && this.plan(allocation);
  }

  private plan({ choice, bytes, cost }: Allocation): Plan {
    return {
      choice: new Map(this.studies.map(({ site }, i) => [site, this.options[i]![choice[i]!]!.scored])),
      price: bytes,
      distortion: cost,
    };
  }
}

/**
 * A planner for the mix of all methods, and where there are several one for each method alone. Predictions are not
 * exact: what a mix should reach and does not, a single method sometimes does, so both are measured.
 */
export function plannersOf(studies: readonly LayerStudy[]): { name: string; planner: Planner }[] {
  const methods = [...new Set(studies.flatMap(({ scored }) => scored.map(s => s.candidate.method)))];
  const alone = (method: string) =>
    studies.map(s => ({ ...s, scored: s.scored.filter(({ candidate }) => candidate.method === method) }));
  return [
    { name: 'all methods', planner: new Planner(studies) },
    ...(methods.length > 1 ? methods.map(name => ({ name, planner: new Planner(alone(name)) })) : []),
  ];
}

/** Points of a front at least `step` apart in price, the first and the last among them. */
export function thinFront(front: readonly Plan[], step: number): Plan[] {
  const kept: Plan[] = [];
  for (const plan of front) {
    if (kept.length === 0 || plan.price - kept.at(-1)!.price >= step) kept.push(plan);
  }
  const last = front.at(-1);
  if (last && kept.at(-1) !== last) kept.push(last);
  return kept;
}

/**
 * The smallest plan that passes a test, by bisection: plans are taken to pass from some size on. Where measurement is
 * noisy it finds one such place.
 * @returns `undefined` where even the last does not pass
 */
export async function smallestPassing(
  front: readonly Plan[],
  passes: (plan: Plan) => Promise<boolean>,
): Promise<Plan | undefined> {
  let low = 0;
  let high = front.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await passes(front[middle]!)) high = middle;
    else low = middle + 1;
  }
  return front[low];
}
