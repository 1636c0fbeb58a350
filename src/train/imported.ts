import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { Network } from '../nn/network.js';
import { fansOf, type ParameterKind } from '../nn/parameter.js';
import type { Trainable } from './trainable.js';

/**
 * A network around a model that was read from disk, for `trainingStep` and `train`: its parameters are those that
 * `trainable` chose, its buffers the running statistics that move. Names are those of the model's initializers. The
 * network takes over the graph; make another `Trainable` for another use.
 * @throws WhittleError for a parameter that is not float32, and a model with functions of its own
 */
export function importedNetwork({ model, parameters, updates }: Trainable): Network {
  if (model.functions.length > 0) {
    throw new WhittleError('a model with functions of its own cannot be trained as it is', {
      ...(model.path !== undefined && { file: model.path }),
      hint: 'Inline them first: inlineFunctions(model)',
    });
  }
  const { graph } = model;
  const network = new Network({ training: true }, graph);
  network.opsets = model.opsets;
  network.reserveNodeNames();
  for (const [name, { value, tensor }] of parameters) {
    if (tensor.dtype !== 'float32') {
      throw new WhittleError(`parameters are trained in float32, this one is ${tensor.dtype}`, {
        value: name,
        hint: 'Leave it out in the selector, or convert the model to float32',
      });
    }
    graph.inputs.splice(graph.inputs.indexOf(value), 1);
    value.initializer = tensor;
    graph.initializers.add(value);
    addParameter(network, value, tensor, kindOf(value, tensor));
  }
  for (const [name, next] of updates) {
    const value = [...graph.initializers].find(other => other.name === name);
    const tensor = value?.initializer;
    if (!(value && tensor instanceof Tensor)) continue;
    next.type = tensorType(tensor.dtype, tensor.dims);
    addParameter(network, value, tensor, 'buffer');
    network.updates.set(name, next);
  }
  return network;
}

function addParameter(network: Network, value: Value, tensor: Tensor, kind: ParameterKind): void {
  const { name } = value;
  const { dims } = tensor;
  const trainable = kind !== 'buffer';
  const initializer = () => tensor.toFloat32().slice();
  network.parameters.set(name, { name, value, kind, trainable, initializer, dims, ...fansOf(dims) });
}

/** What the nodes that use a constant say of it. */
function kindOf(value: Value, { dims }: Tensor): ParameterKind {
  for (const node of value.consumers) {
    const input = node.inputs.indexOf(value);
    if (node.opType === 'Gather' && input === 0) return 'embedding';
    if (/Normalization$/.test(node.opType) && input > 0) return input === 1 ? 'scale' : 'bias';
    if (node.opType === 'Mul' && dims.filter(dim => dim > 1).length < 2) return 'scale';
    if (node.opType === 'Add') return 'bias';
    if (/^(Conv|ConvTranspose|Gemm)$/.test(node.opType) && input === 2) return 'bias';
  }
  return 'weight';
}
