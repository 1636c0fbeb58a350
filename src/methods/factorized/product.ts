import type { Tensor } from '../../graph/tensor.js';
import type { FactorizedLayer } from '../../nn/index.js';
import { isMatrixProduct, multiply, readFactors } from './factors.js';
import { fromMatrix, type MatrixForm } from './matricize.js';
import { kernelOfTensors } from './tensorial.js';

/**
 * The weight that a layer's factors stand for, laid out as the dense layer has it.
 * @param read the present tensor of a parameter
 */
export function denseWeight(layer: FactorizedLayer, read: (name: string) => Tensor): Tensor {
  if (!isMatrixProduct(layer)) return kernelOfTensors(layer, read);
  return fromMatrix(layer.dense, layer.form as MatrixForm, multiply(readFactors(layer, read)));
}
