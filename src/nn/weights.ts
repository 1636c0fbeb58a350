import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import type { Network } from './network.js';

export interface LoadOptions {
  /** Fail where the network has a parameter that the weights lack; default true. */
  readonly strict?: boolean;
  /** What a name in the file is in the network; `undefined` leaves the tensor out. */
  readonly rename?: (name: string) => string | undefined;
}

export interface LoadReport {
  readonly loaded: readonly string[];
  /** Parameters that kept what they had. */
  readonly missing: readonly string[];
  /** Tensors that the network has no use for. */
  readonly unexpected: readonly string[];
}

/**
 * Puts tensors into a network's parameters by name, e.g. those of `openSafetensors(path).tensors`. Half precision
 * becomes float32, when it is read. Names may lack or have the prefix of the model without its head (`bert.`), and the
 * old names `gamma` and `beta` of LayerNorm are known.
 * @throws WhittleError for a shape that differs, integers and 8-bit floats, and (strict) for parameters that are missing
 */
export function loadWeights(
  network: Network,
  tensors: ReadonlyMap<string, Tensor>,
  { strict = true, rename }: LoadOptions = {},
): LoadReport {
  const loaded = new Set<string>();
  const unexpected: string[] = [];
  for (const [name, tensor] of tensors) {
    const target = rename ? rename(name) : findName(network, name);
    const parameter = target === undefined ? undefined : network.parameters.get(target);
    if (parameter) {
      network.setTensor(parameter.name, asFloat32(tensor, name));
      loaded.add(parameter.name);
    } else if (!network.aliases.has(target ?? '')) unexpected.push(name);
  }
  const missing = [...network.parameters.keys()].filter(name => !loaded.has(name));
  if (strict && missing.length > 0) {
    throw new WhittleError(
      `the weights lack ${missing.length} of the network's ${network.parameters.size} parameters`,
      {
        value: missing[0]!,
        hint: `${unexpected.length > 0 ? `They have ${unexpected.slice(0, 3).join(', ')}, … instead; give \`rename\`` : 'Is this the right file?'}, or \`strict: false\` to keep the initial values`,
      },
    );
  }
  return { loaded: [...loaded], missing, unexpected };
}

/** The network's parameters by name, as `writeSafetensors` takes them; shared ones once. */
export const weightsOf = (network: Network): Map<string, Tensor> =>
  new Map([...network.parameters.keys()].map(name => [name, network.tensor(name)]));

function findName(network: Network, name: string): string | undefined {
  const modern = name
    .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
  const { basePrefix } = network;
  const candidates = [modern, basePrefix + modern];
  if (basePrefix !== '' && modern.startsWith(basePrefix)) candidates.push(modern.slice(basePrefix.length));
  return candidates.find(candidate => network.parameters.has(candidate) || network.aliases.has(candidate));
}

/** What can be read as float32 without a scale beside it. */
const REAL: ReadonlySet<DType> = new Set<DType>(['float16', 'bfloat16', 'float64']);

/** The tensor in float32, converted when its bytes are asked for. */
function asFloat32(tensor: Tensor, name: string): Tensor {
  if (tensor.dtype === 'float32') return tensor;
  if (!REAL.has(tensor.dtype)) {
    throw new WhittleError(`the parameter is float32, the weights are ${tensor.dtype}`, {
      value: name,
      hint: 'Take a checkpoint that is not quantized',
    });
  }
  return new Tensor('float32', tensor.dims, {
    byteLength: tensor.size * 4,
    read() {
      const { buffer, byteOffset, byteLength } = tensor.toFloat32();
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    },
  });
}
