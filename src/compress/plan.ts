import { type Allocation, allocateBytes, allocationFront, type Option } from './allocate.js';
import type { Scored } from './score.js';
import type { Sensitivity } from './sensitivity.js';
import type { Site } from './sites.js';

/** Everything known of one layer before the choice: what it takes, what it could take, and what that would do. */
export interface LayerStudy {
  readonly site: Site;
  readonly bytesBefore: number;
  /** Milliseconds of the layer as it is, where speed is the goal. */
  readonly msBefore?: number;
  readonly scored: readonly Scored[];
  readonly sensitivity: Sensitivity;
  /** Singular values of the weight in the norm of the outputs, largest first, where they were computed. */
  readonly spectrum?: readonly number[];
}

/** A choice for every layer; `undefined` leaves one as it is. */
export interface Plan {
  readonly choice: ReadonlyMap<Site, Scored | undefined>;
  /** Of the layers together, by the sum of what each takes: bytes, or milliseconds where speed is the goal. */
  readonly price: number;
  /** Predicted distortion of the outputs. */
  readonly distortion: number;
}

const BYTES_BESIDE_TIME = 0.1;

/** What is to be small. */
export type Price = 'bytes' | 'ms';

/** Turns studies into plans. */
export class Planner {
  private readonly studies: readonly LayerStudy[];
  private readonly options: readonly (readonly (Option & { scored: Scored | undefined })[])[];

  constructor(studies: readonly LayerStudy[], price: Price = 'bytes') {
    this.studies = studies;
    const total = (key: 'bytesBefore' | 'msBefore') =>
      studies.reduce((sum, study) => sum + (study[key] ?? 0), 0);
    // Where time is the price, a file that is smaller by half still counts as much as a twentieth of the time.
    const msPerByte = (BYTES_BESIDE_TIME * total('msBefore')) / Math.max(1, total('bytesBefore'));
    const priceOf = (bytes: number, ms = 0) => (price === 'bytes' ? bytes : ms + bytes * msPerByte);
    this.options = studies.map(({ bytesBefore, msBefore, scored, sensitivity }) => [
      { bytes: priceOf(bytesBefore, msBefore), cost: 0, scored: undefined },
      ...scored.map(s => ({
        bytes: priceOf(s.bytes, s.ms),
        cost: sensitivity.predict(s.error),
        scored: s,
      })),
    ]);
  }

  /** All plans that are best for some rate of quality against price, from the cheapest to the best. */
  front(): Plan[] {
    return allocationFront(this.options).map(allocation => this.plan(allocation));
  }

  /** The best plan whose layers take at most so much; `undefined` where none does. */
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
