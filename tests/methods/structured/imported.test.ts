import { expect, it } from 'vitest';
import { linearRoles, selectLinearLayers } from '../../../src/methods/select-layers.js';
import { monarchMethod } from '../../../src/methods/structured/index.js';
import { exportForInference } from '../../../src/nn/export.js';
import { vit } from '../../../src/nn/models/vit.js';
import { decodeModel, encodeToBytes } from '../../../src/onnx/index.js';
import { importedNetwork, trainable } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { imageTensor } from '../../nn/golden/fill.js';
import { run } from '../../nn/run.js';

it('layers of a model from a file are found by what they do, and replaced by what is nearest to them', async () => {
  const built = vit({
    imageSize: 8,
    patchSize: 4,
    channels: 1,
    classes: 3,
    features: 16,
    heads: 2,
    depth: 2,
    hiddenFeatures: 32,
  });
  const bytes = encodeToBytes(exportForInference(built));
  const load = () => importedNetwork(trainable(decodeModel(bytes)));
  const network = load();
  expect(selectLinearLayers(network, 'ffn')).toHaveLength(4);
  expect([...linearRoles(network).values()].filter(role => role === 'ffn-in')).toHaveLength(2);

  const feeds = { pixel_values: imageTensor([2, 1, 8, 8]) };
  const before = await run(built.toModel(), feeds);
  const replace = (start: 'dense' | 'variance') => {
    const copy = load();
    monarchMethod.create({ layers: 'ffn', start, fraction: 0.95, blocks: 2 }).prepare!(copy);
    return copy;
  };
  const close = replace('dense');
  expect(close.parameterCount()).toBeLessThan(network.parameterCount());
  const { logits } = await run(exportForInference(close), feeds);
  expectClose(logits, before.logits!, 0.2);
  const far = (await run(exportForInference(replace('variance')), feeds)).logits!.toFloat32();
  const error = (values: ArrayLike<number>) =>
    Math.hypot(...before.logits!.toFloat32().map((value, i) => value - values[i]!));
  expect(error(logits!.toFloat32())).toBeLessThan(0.5 * error(far));
});
