import type { SiteUse } from '../calibrate/sites.js';
import type { Graph } from '../graph/graph.js';
import type { Value } from '../graph/value.js';
import type { Layer } from './layer.js';

/** Where a candidate is written to: the real graph, or a small copy of the layer that measures it. */
export interface RewriteTarget {
  readonly graph: Graph;
  /** The constant to replace. */
  readonly value: Value;
  readonly uses: readonly SiteUse[];
  /** The model's version of ONNX's operators. */
  readonly opset: number;
  /** The model's operator sets; a form that writes operators of another domain declares it here. */
  readonly opsets: Map<string, number>;
}

/** What the file is to be good at: few bytes, little memory once it is loaded, or short runs. */
export type Goal = 'size' | 'memory' | 'speed';

/**
 * How a weight is written: `fold`, an expression that is folded to floats when the model is loaded; `integers`, kept as
 * integers in memory and used as floats; `dynamic` and `static`, multiplied as integers with activations whose range is
 * taken at each run, or was calibrated.
 */
export type Form = 'fold' | 'integers' | 'dynamic' | 'static';

/** One way to store one layer. */
export interface Candidate {
  /** The method's name. */
  readonly method: string;
  /** What a table shows, e.g. `int4 b32` or `svd int8`. */
  readonly label: string;
  readonly rank?: number;
  /** Default `fold`. */
  readonly form?: Form;
  /**
   * Activations are rounded as well, so that the error of `weight()` is less than the candidate's: run the layer
   * (`LayerProbe`) to know it.
   */
  readonly roundsActivations?: boolean;
  /** Bits of one stored number, scales left out; absent where they differ. */
  readonly bits?: number;
  /** The same storage with its floats fitted anew to the layer's outputs; left out where there is nothing to fit. */
  readonly refit?: (layer: Layer) => Candidate;
  /** Its error as `Layer.error` has it, where that is known more cheaply than from the weight. */
  error?(): number;
  /** A lower bound of its error that is known more cheaply than the error itself. */
  leastError?(): number;
  /** A lower bound of its bytes that is known before it is made. */
  readonly leastBytes?: number;
  /** The weight that it stands for, in matrix order (rows, cols). Made when it is asked for. */
  weight(): Float32Array;
  /** Writes as many bytes as `apply`, but any numbers: where these take long to make and bytes alone are asked for. */
  outline?(target: RewriteTarget): void;
  /** Rewrites the target; called any number of times, each time with another target. */
  apply(target: RewriteTarget): void;
}

/**
 * A compression method: proposes ways to store a layer. One file in `methods/`, listed in `methods/index.ts`; nothing
 * else knows it by name. What a candidate costs in bytes and in quality is measured by whoever asked, the same way for
 * every method.
 */
export interface Method {
  readonly name: string;
  /** The version of ONNX's operators that its forms need; older models are raised to it, or refused. */
  readonly opset?: number;
  /** Candidates from few bytes to many, as far as the method makes sense for the layer. */
  propose(layer: Layer): Iterable<Candidate>;
  /**
   * The candidate of fewest bytes whose error is at most the bound, among those below `bytes` bytes: for methods with
   * a rank or another fine scale, where a grid of candidates would miss it. Given a probe that measures, instead of
   * the closed form, it searches with that.
   */
  search?(layer: Layer, bound: SearchBound): Promise<Candidate | undefined>;
}

export interface SearchBound {
  readonly error: number;
  readonly bytes: number;
  /** Whether `measure` runs the layer; else a method may use what it knows of errors in closed form. */
  readonly forward: boolean;
  /** Error of a candidate, by the closed form or by running the layer. */
  measure(candidate: Candidate): Promise<number>;
}
