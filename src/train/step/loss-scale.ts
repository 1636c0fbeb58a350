import { WhittleError } from '../../graph/errors.js';

/** Far below 1, where scaling up has lost its purpose. */
const SMALLEST = 2 ** -20;

/**
 * Scale of the loss for half precision: halved where a gradient overflows, doubled after many updates without.
 * Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2; numbers as in PyTorch's `GradScaler`.
 */
export class LossScale {
  scale: number;
  private readonly interval: number;
  private goodUpdates = 0;

  constructor({ initial = 65536, interval = 2000 }: { initial?: number; interval?: number } = {}) {
    this.scale = initial;
    this.interval = interval;
  }

  /**
   * @param overflowed whether the gradient was not finite, so that the update was left out
   * @throws WhittleError where that happens at every scale
   */
  observe(overflowed: boolean): void {
    if (overflowed) {
      this.scale /= 2;
      this.goodUpdates = 0;
      if (this.scale >= SMALLEST) return;
      throw new WhittleError('the gradients overflow however small the loss is scaled', {
        hint: 'Lower the learning rate, or clip gradients (clip: { norm: 1 })',
      });
    }
    if (++this.goodUpdates === this.interval) {
      this.scale *= 2;
      this.goodUpdates = 0;
    }
  }

  get state(): readonly [scale: number, goodUpdates: number] {
    return [this.scale, this.goodUpdates];
  }

  restore([scale, goodUpdates]: readonly [number, number]): void {
    this.scale = scale;
    this.goodUpdates = goodUpdates;
  }
}
