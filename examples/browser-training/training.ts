import type { ImageArray } from 'whittle-nn/datasets';
import { cifarResNet } from 'whittle-nn/nn';
import type { Provider } from 'whittle-nn/runtime';
import { classification, cosine, sgd, type TrainResult, train, warmup } from 'whittle-nn/train';

export interface Progress {
  readonly update: number;
  readonly loss: number;
  readonly accuracy: number;
}

export interface DigitTraining {
  readonly data: { readonly train: ImageArray; readonly test?: ImageArray };
  /** `wasm` or `webgpu` in a page, `cpu` in Node. */
  readonly provider: Provider;
  readonly updates: number;
  /** Default 32. */
  readonly batchSize?: number;
  readonly onUpdate?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** Trains a ResNet-8 of a quarter of the usual width on images of one channel. The same in a page and in Node. */
export function trainDigits({
  data,
  provider,
  updates,
  batchSize = 32,
  onUpdate,
  signal,
}: DigitTraining): Promise<TrainResult> {
  return train({
    network: cifarResNet({ depth: 8, width: 0.25, channels: 1, imageSize: 28, classes: 10, training: true }),
    data,
    objective: classification(),
    optimizer: sgd({ momentum: 0.9, nesterov: true }),
    learningRate: warmup({ updates: 10 }, cosine({ base: 0.1 })),
    weightDecay: 5e-4,
    batchSize,
    updates,
    evaluation: { every: Number.MAX_VALUE },
    // Rounds as the page does, so that losses can be compared.
    blockedLayout: false,
    session: { provider },
    ...(signal && { signal }),
    logs: [
      {
        open() {},
        write({ kind, update, values }) {
          if (kind === 'step') onUpdate?.({ update, loss: values.loss!, accuracy: values.accuracy! });
        },
        flush() {},
        close() {},
      },
    ],
  });
}
