import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { matrix, singularValues } from '../../src/linalg/index.js';
import { linearRoles } from '../../src/methods/select-layers.js';
import { dyadMethod, stackedKroneckerMethod } from '../../src/methods/structured/index.js';
import { exportForInference } from '../../src/nn/export.js';
import { patchTokens } from '../../src/nn/layers/patches.js';
import { spectralLinear } from '../../src/nn/layers/spectral-linear.js';
import { vitTiny } from '../../src/nn/models/vit-tiny.js';
import { xTransformersVit } from '../../src/nn/models/x-transformers-vit.js';
import { adamW, classification, StepRunner, trainingStep } from '../../src/train/index.js';
import { expectClose } from './close.js';
import { imageTensor } from './golden/fill.js';
import { layerNetwork, run } from './run.js';

const small = {
  imageSize: 8,
  channels: 1,
  classes: 3,
  features: 12,
  depth: 2,
  heads: 2,
  headDim: 5,
  training: true,
};
const pixel_values = imageTensor([6, 1, 8, 8]);
const labels = Tensor.int64([0, 1, 2, 0, 1, 2]);

describe.each([
  ['x-transformers ViT', () => xTransformersVit(small)],
  ['ViT-tiny', () => vitTiny({ ...small, dropout: 0 })],
] as const)('%s', (_name, build) => {
  it('trains, and is exported as it was trained', async () => {
    const step = trainingStep(build(), { objective: classification(), optimizer: adamW() });
    const runner = await StepRunner.create(step, { threads: 1 });
    const losses: number[] = [];
    for (let i = 0; i < 40; i++) {
      losses.push((await runner.run({ pixel_values, labels }, { learningRate: 3e-3 })).loss!);
    }
    expect(losses.at(-1)).toBeLessThan(0.75 * losses[0]!);
    for (const name of step.network.parameters.keys()) step.network.setTensor(name, runner.states.read(name));
    await runner.release();
    const expected = await run(step.network.toModel(), { pixel_values });
    expectClose((await run(exportForInference(step.network), { pixel_values })).logits, expected.logits!);
  });

  it('has two feed-forward layers for each activation', () => {
    const roles = [...linearRoles(build()).values()];
    const count = (role: string) => roles.filter(other => other === role).length;
    expect(count('ffn-in')).toBeGreaterThanOrEqual(2);
    expect(count('ffn-out')).toBe(count('ffn-in'));
  });
});

describe('published arms', () => {
  it('ViT-tiny with DYAD has the published number of parameters', () => {
    const network = vitTiny({ hiddenFeatures: 1024 });
    dyadMethod.create({ layers: 'ffn', start: 'variance', blocks: 8, variant: 'it', cat: false }).prepare!(
      network,
    );
    expect(network.parameterCount()).toBe(4_366_326);
  });

  it('x-transformers ViT with Kronecker products in attention-out is 0.5 of those layers smaller', () => {
    const network = xTransformersVit();
    const method = stackedKroneckerMethod.create({
      layers: 'attention-out',
      start: 'variance',
      fraction: 0.5,
      form: 'auto',
    });
    method.prepare!(network);
    // The published figure, 5 606 202, is that of rank 73; int(0.5 · 384 · 256 / (2 · 320) + 0.5) is 77.
    expect(network.parameterCount()).toBe(5_812_538 - 4 * (384 * 256 - 2 * 77 * 320));
    expect(5_812_538 - 4 * (384 * 256 - 2 * 73 * 320)).toBe(5_606_202);
  });
});

describe('patchTokens', () => {
  it('takes pixels row by row and channels side by side', async () => {
    const network = layerNetwork([2, 4, 4], (scope, x) =>
      patchTokens(scope, x, { imageSize: 4, patchSize: 2, channels: 2 }),
    );
    const x = Tensor.float32(
      [1, 2, 4, 4],
      Float32Array.from({ length: 32 }, (_, i) => i),
    );
    const { y } = await run(network.toModel(), { x });
    expect(y!.dims).toEqual([1, 4, 8]);
    // Patch 1 is the upper right one: pixels (0, 2), (0, 3), (1, 2), (1, 3) of both channels.
    expect([...y!.toFloat32().subarray(8, 16)]).toEqual([2, 18, 3, 19, 6, 22, 7, 23]);
  });

  it('refuses patches that do not tile', () => {
    expect(() => xTransformersVit({ ...small, imageSize: 9 })).toThrow(
      /patches of 4 do not tile an image of 9/,
    );
  });
});

describe('spectralLinear', () => {
  it('has the learned number as its largest singular value, and starts as the plain layer', async () => {
    const options = { inFeatures: 6, outFeatures: 4, bias: false };
    const network = layerNetwork([6], (scope, x) => spectralLinear(scope, x, options), { training: true });
    const weight = network.tensor('weight').toFloat32();
    const eye = Tensor.float32(
      [6, 6],
      Float32Array.from({ length: 36 }, (_, i) => Number(i % 7 === 0)),
    );
    const effective = async () => (await run(network.toModel(), { x: eye })).y!.toFloat32(); // Wᵀ
    const found = await effective();
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 6; j++) expect(found[j * 4 + i]).toBeCloseTo(weight[i * 6 + j]!, 6);
    }
    network.setTensor('sigma', Tensor.float32([1], [3]));
    const [largest] = singularValues(matrix(await effective(), 6, 4));
    expect(largest).toBeCloseTo(3, 5);
  });
});
