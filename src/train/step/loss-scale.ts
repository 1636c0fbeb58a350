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

  /** @param overflowed whether the gradient was not finite, so that the update was left out */
  observe(overflowed: boolean): void {
    if (overflowed) {
      this.scale /= 2;
      this.goodUpdates = 0;
    } else if (++this.goodUpdates === this.interval) {
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
