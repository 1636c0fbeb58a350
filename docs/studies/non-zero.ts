import type { Network } from 'whittle-nn/nn';

/** Trainable parameters without the weights that masks hold at zero. */
export function nonZeroParameters(network: Network): number {
  let count = 0;
  for (const { name, trainable, kind } of network.parameters.values()) {
    if (!trainable) continue;
    const data = network.tensor(name).toFloat32();
    // Biases and shifts may be zero without being absent.
    count += kind === 'weight' ? data.reduce((sum, x) => sum + Number(x !== 0), 0) : data.length;
  }
  return count;
}
