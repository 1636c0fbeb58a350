import { cluster } from '../../methods/sharing/clustered.js';
import type { Squeeze } from '../squeeze.js';

/** k-means of each layer's weights. */
export const clustered: Squeeze = {
  name: 'clustered',
  measures: 'bits of an index, log₂ of the number of values that a layer may have',
  levels: 255,
  at(layers, level) {
    const count = level + 2;
    return {
      size: Math.log2(count),
      weights: layers.map(({ weight }) => {
        const { codebook, assignment } = cluster(weight, count, 25);
        return Float32Array.from(assignment, index => codebook[index]!);
      }),
    };
  },
};
