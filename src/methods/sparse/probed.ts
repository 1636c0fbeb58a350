import type { Batch } from '../../datasets/dataset.js';
import type { Value } from '../../graph/value.js';
import { LossProbe, type ProbeContext } from '../../train/loss-probe.js';
import type { TrainingRun } from '../../train/method.js';
import { lengthOf } from '../batches.js';

export interface ProbedOptions {
  /** What scores are divided by; default 1. */
  readonly temperature?: number;
  /** Values of the probe's further inputs. */
  readonly further?: Batch;
}

/** Means over a batch of what `build` makes for each parameter, computed part by part. */
export async function probed(
  run: TrainingRun,
  names: readonly string[],
  parts: readonly Batch[],
  build: (context: ProbeContext) => readonly Value[],
  { temperature = 1, further = {} }: ProbedOptions = {},
): Promise<readonly Float32Array[]> {
  const probe = await LossProbe.create(
    run,
    context => Object.fromEntries(build(context).map((value, i) => [`result/${names[i]!}`, value])),
    { temperature },
  );
  try {
    const all = parts.reduce((sum, part) => sum + lengthOf(part), 0);
    let sums: Float32Array[] | undefined;
    for (const part of parts) {
      const results = await probe.run(part, further);
      const share = lengthOf(part) / all;
      const values = names.map(name => results[`result/${name}`]!.toFloat32());
      sums ??= values.map(({ length }) => new Float32Array(length));
      values.forEach((value, n) => {
        const sum = sums![n]!;
        for (let i = 0; i < sum.length; i++) sum[i]! += share * value[i]!;
      });
    }
    return sums!;
  } finally {
    await probe.release();
  }
}
