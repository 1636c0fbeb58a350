import type { Schedule } from './schedule.js';

export interface CosineOptions {
  /** The rate to begin with. */
  readonly base: number;
  /** The rate to end with; default 0. */
  readonly final?: number;
}

/**
 * Half a cosine from `base` to `final`, as `torch.optim.lr_scheduler.CosineAnnealingLR` does.
 * Loshchilov & Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983 (without restarts).
 */
export const cosine = ({ base, final = 0 }: CosineOptions): Schedule => ({
  at: ({ update, updates }) => final + ((base - final) * (1 + Math.cos((Math.PI * update) / updates))) / 2,
});
