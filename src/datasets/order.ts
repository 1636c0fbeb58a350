import { WhittleError } from '../graph/errors.js';
import { Random } from '../random/random.js';

/** Where an order stands; with the same length and options it continues from there exactly. */
export interface OrderState {
  readonly seed: number;
  readonly epoch: number;
  /** Examples of this epoch that were given already. */
  readonly position: number;
}

export interface OrderOptions {
  readonly batchSize: number;
  /** Default 0. */
  readonly seed?: number;
  /** Default true. */
  readonly shuffle?: boolean;
  /** Leave out the last batch of an epoch where it is smaller; default true. */
  readonly dropLast?: boolean;
}

/**
 * In which order examples are drawn, epoch after epoch without end. Each epoch's permutation depends on the seed and
 * the epoch's number alone, so that three numbers are all there is to save.
 */
export class Order {
  readonly length: number;
  readonly batchSize: number;
  private readonly shuffle: boolean;
  private readonly dropLast: boolean;
  private seed: number;
  private epochNumber = 0;
  private position = 0;
  private permutation: Uint32Array;

  /** @throws WhittleError where not even one batch can be drawn */
  constructor(length: number, { batchSize, seed = 0, shuffle = true, dropLast = true }: OrderOptions) {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new WhittleError(`the batch size must be a positive whole number, not ${batchSize}`);
    if (length < (dropLast ? batchSize : 1)) {
      throw new WhittleError(`${length} examples do not fill a batch of ${batchSize}`, {
        hint: 'Use a smaller batch size, or dropLast: false',
      });
    }
    this.length = length;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.seed = seed;
    this.permutation = this.permute();
  }

  get batchesPerEpoch(): number {
    const batches = this.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Number of the epoch that the next batch belongs to, from 0. */
  get epoch(): number {
    return this.ended ? this.epochNumber + 1 : this.epochNumber;
  }

  /** Numbers of the next batch's examples. */
  next(): Uint32Array {
    if (this.ended) {
      this.epochNumber++;
      this.position = 0;
      this.permutation = this.permute();
    }
    const batch = this.permutation.slice(this.position, this.position + this.batchSize);
    this.position += batch.length;
    return batch;
  }

  get state(): OrderState {
    return { seed: this.seed, epoch: this.epochNumber, position: this.position };
  }

  /** Continues where a state was taken. @throws WhittleError for a state of another dataset */
  restore({ seed, epoch, position }: OrderState): void {
    if (!(position >= 0 && position <= this.length)) {
      throw new WhittleError(`the saved order stands at example ${position} of ${this.length}`, {
        hint: 'The dataset differs from the one that training began with',
      });
    }
    this.seed = seed;
    this.epochNumber = epoch;
    this.position = position;
    this.permutation = this.permute();
  }

  private get ended(): boolean {
    const left = this.length - this.position;
    return left < (this.dropLast ? this.batchSize : 1);
  }

  private permute(): Uint32Array {
    if (!this.shuffle) return Uint32Array.from({ length: this.length }, (_, i) => i);
    return new Random(this.seed, `epoch ${this.epochNumber}`).permutation(this.length);
  }
}
