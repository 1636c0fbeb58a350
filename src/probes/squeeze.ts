import type { ConvLayer, LinearLayer } from '../nn/index.js';

/** A layer and its weight as an (outputs × inputs) matrix; a kernel counts with the inputs. */
export interface ProbedLayer {
  readonly layer: LinearLayer | ConvLayer;
  readonly rows: number;
  readonly cols: number;
  readonly weight: Float32Array;
}

/** What a squeeze leaves of the layers. */
export interface Squeezed {
  /** What is measured, smaller for less: a share of the weights, or bits for each. */
  readonly size: number;
  /** The matrices, in the layers' order. */
  readonly weights: readonly Float32Array[];
  /** Outputs that are gone with their biases, in the layers' order. */
  readonly removed?: readonly ReadonlySet<number>[];
}

/**
 * A way to make trained weights simpler without training, from the crudest level on. It is as plain as it can be, no
 * calibration and no correction, so that what it shows is in the weights and not in the compressor.
 */
export interface Squeeze {
  /** The figure that it measures, e.g. `pruned`. */
  readonly name: string;
  /** What the figure is, as the end of a sentence. */
  readonly measures: string;
  readonly levels: number;
  /** @param level from 0, the crudest */
  at(layers: readonly ProbedLayer[], level: number): Squeezed;
}
