import type { Graph } from '../graph/graph.js';
import type { Value } from '../graph/value.js';
import type { Site, SiteUse } from './sites.js';

/** Where a candidate is written to: the real graph, or a small copy of the layer that measures it. */
export interface RewriteTarget {
  readonly graph: Graph;
  /** The constant to replace. */
  readonly value: Value;
  readonly uses: readonly SiteUse[];
  /** The model's version of ONNX's operators. */
  readonly opset: number;
}

/** One way to store one site. */
export interface Candidate {
  /** The method's name. */
  readonly method: string;
  /** What a table shows, e.g. `int4 b32` or `svd int8`. */
  readonly label: string;
  readonly rank?: number;
  /** Rewrites the target; called any number of times, each time with another target. */
  apply(target: RewriteTarget): void;
}

/** What a candidate costs, measured by running the layer. */
export interface Measured {
  /** Bytes of the written file that the layer takes. */
  readonly bytes: number;
  /** ‖y − ŷ‖ / ‖y‖ of the layer's output on the calibration inputs. */
  readonly error: number;
}

/** A layer under test. */
export interface Probe {
  /** Bytes that the layer takes as it is. */
  readonly bytes: number;
  /** Writes the candidate into a copy of the layer and runs it. */
  measure(candidate: Candidate): Promise<Measured>;
}

export interface MethodSettings {
  /** The per-layer rule: largest relative output error. */
  readonly error: number;
}

export interface Proposal extends Measured {
  readonly candidate: Candidate;
}

/**
 * A compression method: proposes ways to store a site, measured. One file in `methods/`, listed in
 * `methods/index.ts`; nothing else knows it by name.
 */
export interface Method {
  readonly name: string;
  /**
   * Yields candidates, cheapest to test first. It may leave out what cannot be smaller than `best`, the smallest
   * that kept the rule so far.
   */
  propose(site: Site, probe: Probe, settings: MethodSettings, best: () => number): AsyncIterable<Proposal>;
}
