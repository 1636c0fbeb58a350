/** Sizes of the networks that peers in JavaScript train: those of `../training/models.ts`. */
export interface TransformerSizes {
  readonly batch: number;
  readonly tokens: number;
  readonly features: number;
  readonly depth: number;
  readonly heads: number;
  readonly hidden: number;
  readonly isCausal: boolean;
}

export const MLP_WIDTHS = [784, 1024, 1024, 10];

export const VIT: TransformerSizes = {
  batch: 64,
  tokens: 64,
  features: 256,
  depth: 6,
  heads: 4,
  hidden: 512,
  isCausal: false,
};

export const GPT: TransformerSizes = {
  batch: 16,
  tokens: 128,
  features: 192,
  depth: 4,
  heads: 6,
  hidden: 768,
  isCausal: true,
};
