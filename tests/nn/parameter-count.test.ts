import { describe, expect, it } from 'vitest';
import { BERT_LARGE, bert } from '../../src/nn/models/bert.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { phi } from '../../src/nn/models/phi.js';
import { resNet } from '../../src/nn/models/resnet.js';
import { vgg } from '../../src/nn/models/vgg.js';
import { vit } from '../../src/nn/models/vit.js';
import { vitTiny } from '../../src/nn/models/vit-tiny.js';
import { xTransformersVit } from '../../src/nn/models/x-transformers-vit.js';
import type { Network } from '../../src/nn/network.js';

// Published counts: torchvision's and timm's model tables, Hugging Face's `model.num_parameters()`.
const COUNTS: readonly (readonly [string, () => Network, number])[] = [
  ['ResNet-18', () => resNet({ depth: 18 }), 11_689_512],
  ['ResNet-34', () => resNet({ depth: 34 }), 21_797_672],
  ['ResNet-50', () => resNet({ depth: 50 }), 25_557_032],
  ['ResNet-101', () => resNet({ depth: 101 }), 44_549_160],
  ['ResNet-152', () => resNet({ depth: 152 }), 60_192_808],
  ['VGG-11', () => vgg({ depth: 11, batchNorm: false }), 132_863_336],
  ['VGG-16', () => vgg({ depth: 16, batchNorm: false }), 138_357_544],
  ['VGG-16 with BatchNorm', () => vgg({ depth: 16 }), 138_365_992],
  ['VGG-19', () => vgg({ depth: 19, batchNorm: false }), 143_667_240],
  ['VGG-19 with BatchNorm', () => vgg({ depth: 19 }), 143_678_248],
  ['ViT-B/16', () => vit(), 86_567_656],
  ['ViT-S/16', () => vit({ features: 384, heads: 6 }), 22_050_664],
  // catid's experiments with linear layers.
  ['x-transformers ViT', () => xTransformersVit(), 5_812_538],
  ['ViT-tiny', () => vitTiny(), 4_363_254],
  ['BERT-base', () => bert(), 109_482_240],
  ['BERT-large', () => bert(BERT_LARGE), 335_141_888],
  ['BERT-base for masked tokens', () => bert({ head: 'mlm' }), 109_514_298],
  ['GPT-2', () => gpt2(), 124_439_808],
  ['GPT-2 XL', () => gpt2({ features: 1600, depth: 48, heads: 25 }), 1_557_611_200],
  ['Phi-2', () => phi(), 2_779_683_840],
];

describe('parameter counts', () => {
  // Nothing is drawn for this: the largest of these takes 11 GB.
  it.each(COUNTS)('%s', (_name, build, expected) => {
    expect(build().parameterCount()).toBe(expected);
  });
});
