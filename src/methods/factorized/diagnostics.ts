import { singularValues, stableRank } from '../../linalg/index.js';
import type { Network } from '../../nn/index.js';
import type { TrainingMethod, TrainingRun } from '../../train/index.js';
import { isMatrixProduct, readFactors } from './factors.js';
import { formFor, toMatrix } from './matricize.js';
import { productSpectrum, squaredNorm } from './spectrum.js';

export interface DiagnosticsOptions {
  /** Updates between measurements; the last update is always measured. Default 100. */
  readonly every?: number;
  /** Measure the weights of layers that are dense, too, to compare with; default false. */
  readonly dense?: boolean;
  /** Log each layer; otherwise only the means over layers. Default true. */
  readonly layers?: boolean;
}

/** What is measured of one weight W. */
export interface WeightFigures {
  /** ‖W‖_F */
  readonly frobenius: number;
  /** Sum of the singular values. */
  readonly nuclear: number;
  /** ‖W‖²_F / ‖W‖²₂ */
  readonly stable_rank: number;
  /** η / ‖W‖²_F: how far a step turns a weight whose length does not matter, as before a normalization. */
  readonly effective_step: number;
  /** (‖U‖²_F + ‖V‖²_F) / 2, which the nuclear norm cannot exceed; of products of two factors. */
  readonly bound?: number;
  /** nuclear / bound: 1 where weight decay on the factors is a penalty of the nuclear norm. */
  readonly tightness?: number;
}

/**
 * Follows the products of factors through a training: norms, nuclear norm against the bound that weight decay on the
 * factors minimizes, stable rank, effective step size. Logged as `factors/PATH/FIGURE`, and the means over all layers
 * as `factors/FIGURE`.
 */
export function factorDiagnostics({
  every = 100,
  dense = false,
  layers = true,
}: DiagnosticsOptions = {}): TrainingMethod {
  const measure = (run: TrainingRun): void => {
    const sums = new Map<string, number[]>();
    for (const [path, figures] of weightFigures(run, dense)) {
      for (const [name, value] of Object.entries(figures) as [string, number][]) {
        sums.set(name, [...(sums.get(name) ?? []), value]);
        if (layers) run.log(`factors/${path}/${name}`, value);
      }
    }
    for (const [name, values] of sums) {
      run.log(`factors/${name}`, values.reduce((a, b) => a + b, 0) / values.length);
    }
  };
  return {
    name: 'factor-diagnostics',
    afterStep(run) {
      if (run.update % every === 0 || run.update === run.updates) measure(run);
    },
  };
}

/** The figures of each factorized layer, and of dense ones where they are asked for, by path. */
export function weightFigures(
  run: Pick<TrainingRun, 'network' | 'read' | 'learningRate'>,
  dense = false,
): Map<string, WeightFigures> {
  const { network, learningRate } = run;
  const figures = new Map<string, WeightFigures>();
  for (const layer of network.factorized.values()) {
    if (!isMatrixProduct(layer)) continue;
    const factors = readFactors(layer, name => run.read(name));
    const found = spectrumFigures(productSpectrum(factors), learningRate);
    const bound = (squaredNorm(factors.u) + squaredNorm(factors.vt)) / 2;
    figures.set(layer.path, factors.m ? found : { ...found, bound, tightness: found.nuclear / bound });
  }
  if (!dense) return figures;
  const factors = new Set([...network.factorized.values()].flatMap(layer => layer.factors));
  for (const [path, weight] of denseWeights(network, factors)) {
    figures.set(
      path,
      spectrumFigures(
        singularValues(toMatrix(weight, formFor(weight, 'spatial'), run.read(weight.weight.name))),
        learningRate,
      ),
    );
  }
  return figures;
}

function* denseWeights(network: Network, factors: ReadonlySet<string>) {
  for (const layer of network.layers.values()) {
    if (layer.kind !== 'linear' && (layer.kind !== 'conv' || layer.groups !== 1)) continue;
    if (layer.weight.trainable && !factors.has(layer.weight.name)) yield [layer.path, layer] as const;
  }
}

function spectrumFigures(spectrum: Float64Array, learningRate: number): WeightFigures {
  const square = spectrum.reduce((sum, s) => sum + s * s, 0);
  return {
    frobenius: Math.sqrt(square),
    nuclear: spectrum.reduce((sum, s) => sum + s, 0),
    stable_rank: stableRank(spectrum),
    effective_step: learningRate / square,
  };
}
