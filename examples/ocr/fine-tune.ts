/**
 * Fine-tunes PP-OCRv4's recognition model, all of its weights, on a handful of the calibration lines:
 *
 *     whittle train examples/ocr/fine-tune.ts --out runs/lines
 *     npx jiti examples/ocr/score.ts runs/lines/model.onnx
 */
import { loadModel } from 'whittle-nn/onnx/node';
import {
  adamW,
  cosine,
  defineTraining,
  importedNetwork,
  integer,
  number,
  trainable,
  transcription,
  warmup,
} from 'whittle-nn/train';
import { lineDataset } from './line-dataset.js';
import { lineLabels } from './lines.js';
import { recognitionModel } from './models.js';

export default defineTraining({
  settings: {
    lines: integer(16, { min: 1, max: 64 }),
    batchSize: integer(4, { min: 1 }),
    epochs: number(4, { min: 0.01 }),
    learningRate: number(1e-4, { min: 0 }),
  },
  async build({ lines, batchSize, epochs, learningRate }) {
    const network = importedNetwork(trainable(await loadModel(recognitionModel)));
    const train = await lineDataset(lineLabels('calibration').slice(0, lines));
    const [batch, , , width] = network.inputs[0]!.shape as string[];
    return {
      network,
      data: { train },
      objective: transcription({ logits: network.outputs[0]!.name }),
      optimizer: adamW(),
      learningRate: warmup({ updates: 4 }, cosine({ base: learningRate })),
      clip: { norm: 1 },
      batchSize,
      epochs,
      sizes: { [batch!]: batchSize, [width!]: train.fields.x!.shape[2]! },
    };
  },
});
