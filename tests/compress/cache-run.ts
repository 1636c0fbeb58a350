/** A run for `cache.test.ts` to kill: it compresses the small model slowly, with the cache in the folder given. */

import { compress } from '../../src/compress/index.js';
import { openStore } from '../../src/compress/store.node.js';
import { smallInputs, smallModel } from './small-model.js';

const store = openStore(process.argv[2]!);
await compress(smallModel(), {
  inputs: smallInputs(12),
  method: 'quantize',
  samples: { calibration: 8, verification: 2 },
  threads: 1,
  timing: false,
  maxSize: '20%',
  cache: {
    read: key => store.read(key),
    write(key, parts) {
      store.write(key, parts);
      // Time to be killed in.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    },
  },
});
