import type { Tensor } from '../../graph/tensor.js';
import type { FactorizedLayer } from '../../nn/index.js';
import { multiply, readFactors } from './factors.js';
import { fromMatrix, type MatrixForm } from './matricize.js';

/**
 * The weight that a layer's factors stand for, laid out as the dense layer has it.
 * @param read the present tensor of a parameter
 */
export const denseWeight = (layer: FactorizedLayer, read: (name: string) => Tensor): Tensor =>
  fromMatrix(layer.dense, layer.form as MatrixForm, multiply(readFactors(layer, read)));
