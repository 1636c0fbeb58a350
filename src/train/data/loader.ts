import type { Batch, Dataset } from '../../datasets/dataset.js';
import { Order, type OrderOptions, type OrderState } from '../../datasets/order.js';
import { WhittleError } from '../../graph/errors.js';
import { Random } from '../../random/random.js';
import type { Transform } from './transform.js';

export interface LoaderOptions extends OrderOptions {
  /** Applied to each batch in this order. */
  readonly transforms?: readonly Transform[];
  /**
   * Batches that are asked for ahead; default 2. What other threads do for a batch goes on while a step computes; what
   * runs in JavaScript does not.
   */
  readonly prefetch?: number;
}

/** Where a loader stands: what it needs to continue with the same batches, to the last bit. */
export interface LoaderState {
  readonly order: OrderState;
  /** Batches given so far. */
  readonly batch: number;
  /** Of the data set and of a batch: with others the order would be another. */
  readonly length: number;
  readonly batchSize: number;
}

interface Pending {
  readonly batch: Promise<Batch>;
  readonly after: LoaderState;
  readonly epoch: number;
}

/** Draws batches in shuffled order without end. The random numbers of a batch depend on the seed and its number alone. */
export class Loader {
  private readonly dataset: Dataset;
  private readonly order: Order;
  private readonly transforms: readonly Transform[];
  private readonly seed: number;
  private readonly ahead: number;
  private readonly queue: Pending[] = [];
  private drawn = 0;
  private current: LoaderState;
  private currentEpoch = 0;

  /** @throws WhittleError for a data set that is empty or smaller than a batch, and options that make no sense */
  constructor(dataset: Dataset, { transforms = [], prefetch = 2, ...options }: LoaderOptions) {
    if (dataset.length === 0) throw new WhittleError('the data set is empty');
    if (!(Number.isInteger(prefetch) && prefetch >= 0)) {
      throw new WhittleError(`prefetch is a number of batches, 0 or more, not ${prefetch}`);
    }
    this.dataset = dataset;
    this.order = new Order(dataset.length, options);
    this.transforms = transforms;
    this.seed = options.seed ?? 0;
    this.ahead = prefetch;
    this.current = this.stateNow();
  }

  get batchesPerEpoch(): number {
    return this.order.batchesPerEpoch;
  }

  /** Number of the epoch that the last batch belongs to. */
  get epoch(): number {
    return this.currentEpoch;
  }

  get state(): LoaderState {
    return this.current;
  }

  /** @throws WhittleError for a state of another data set */
  restore(state: LoaderState): void {
    const { length, batchSize } = this.order;
    if (state.length !== length || state.batchSize !== batchSize) {
      throw new WhittleError(
        `the training began with ${state.length} examples in batches of ${state.batchSize}; now it is ${length} in batches of ${batchSize}`,
        { hint: 'Resume with the same data and batch size' },
      );
    }
    this.queue.length = 0;
    this.order.restore(state.order);
    this.drawn = state.batch;
    this.current = state;
    this.currentEpoch = state.order.epoch;
  }

  async next(): Promise<Batch> {
    while (this.queue.length <= this.ahead) this.queue.push(this.draw());
    const { batch, after, epoch } = this.queue.shift()!;
    const result = await batch;
    this.current = after;
    this.currentEpoch = epoch;
    return result;
  }

  private draw(): Pending {
    const { epoch } = this.order;
    const indices = this.order.next();
    const random = new Random(this.seed, `batch ${this.drawn++}`);
    const batch = this.dataset
      .batch(indices)
      .then(drawn => this.transforms.reduce((result, transform) => transform(result, random), drawn));
    // Somebody else's turn to fail: the error belongs to the call that takes this batch.
    batch.catch(() => {});
    return { batch, epoch, after: this.stateNow() };
  }

  private stateNow(): LoaderState {
    const { state, length, batchSize } = this.order;
    return { order: state, batch: this.drawn, length, batchSize };
  }
}
