import type { EndToEnd } from '../end-to-end.js';
import type { Evaluator } from '../evaluator.js';
import type { Job } from '../job.js';
import type { LayerStudy, Plan } from './plan.js';

export interface SearchInput {
  readonly job: Job;
  readonly studies: readonly LayerStudy[];
  /** Measures plans quickly on a few inputs. */
  readonly endToEnd: EndToEnd;
  /** Measures written models on the held-out inputs. */
  readonly evaluator: Evaluator;
  /** Bytes that the file may take. */
  readonly limit: number | undefined;
}

/** A choice for every layer, and what the user must know about it. */
export interface SearchResult {
  readonly plan: Plan;
  readonly warnings: readonly string[];
}
