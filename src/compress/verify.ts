import type { Model } from '../graph/model.js';
import {
  compareSessions,
  createSession,
  type Session,
  type SessionOptions,
  type Tensors,
} from '../runtime/index.js';
import { Agreement } from './agreement.js';
import { clockFor } from './evaluator.js';
import type { CompressInputs } from './inputs.js';
import type { CompressOptions } from './options.js';
import type { PhaseClock } from './phases.js';
import type { CompressReport, OutputAgreement } from './report.js';
import { compareScores } from './scores.js';

/** Runs both models on the same inputs and compares every float output. */
export async function compareOutputs(
  original: Session,
  compressed: Session,
  samples: readonly Tensors[],
  onSample?: (done: number) => void,
): Promise<OutputAgreement[]> {
  const agreements = new Map<string, Agreement>();
  for (const [i, sample] of samples.entries()) {
    const expected = await original.run(sample);
    const actual = await compressed.run(sample);
    for (const [name, tensor] of Object.entries(expected)) {
      if (tensor.dtype === 'string') continue;
      const agreement = agreements.get(name) ?? new Agreement(name);
      agreements.set(name, agreement);
      agreement.add(tensor, actual[name]!);
    }
    onSample?.(i + 1);
  }
  return [...agreements.values()].map(agreement => agreement.result);
}

/** Runs both models on the held-out inputs that chose nothing. */
export async function verify(
  original: Model,
  compressed: Model,
  inputs: CompressInputs,
  options: Pick<CompressOptions, 'threads' | 'provider' | 'evaluate' | 'signal' | 'timing'>,
  clock: PhaseClock,
): Promise<Pick<CompressReport, 'verification' | 'scores' | 'worst' | 'time'>> {
  const sessionOptions: SessionOptions = {
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.provider !== undefined && { provider: options.provider }),
  };
  // First what takes memory while it is unpacked, so that the original does not lie beside it then.
  const after = await createSession(compressed, sessionOptions);
  const before = await createSession(original, sessionOptions);
  try {
    const onSample = clock.start('verify', inputs.reported.length);
    const outputs = await compareOutputs(before, after, inputs.reported, onSample);
    let scored: Pick<CompressReport, 'scores' | 'worst'> = { scores: [], worst: [] };
    if (options.evaluate) {
      let onProgress: ((done: number) => void) | undefined;
      scored = await compareScores(options.evaluate, before, after, {
        onProgress: (done, total) => {
          onProgress ??= clock.start('evaluate', total);
          onProgress(done);
        },
        ...(options.signal && { signal: options.signal }),
      });
    }
    const verification = { ...inputs.about.heldOut, outputs };
    if (options.timing === false) return { verification, ...scored };
    clock.start('time', 1);
    const timeClock = clockFor(before, options);
    const { a, b } = await compareSessions(before, after, inputs.reported[0]!, { clock: timeClock });
    const time = {
      beforeMs: a.medianMs,
      afterMs: b.medianMs,
      runs: a.runs,
      provider: before.provider,
      ...(timeClock === 'processor' && { clock: timeClock }),
    };
    return { verification, ...scored, time };
  } finally {
    await before.release();
    await after.release();
  }
}
