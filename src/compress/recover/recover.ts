import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { runSamples, type Tensors } from '../../runtime/index.js';
import { Distortion } from '../distortion.js';
import type { Job } from '../job.js';
import { RECOVERY_EPOCHS, type Recovery } from '../options.js';
import type { RecoveryReport } from '../report.js';
import type { Plan } from '../search/plan.js';
import { writeChoices } from '../write.js';
import { distill } from './distill.js';
import { recoverLayers } from './layers.js';

export interface Recovered {
  readonly choice: Plan['choice'];
  readonly model: Model;
  readonly report: RecoveryReport;
  readonly warnings: readonly string[];
}

/** Fewer samples cannot be split into some to train on and some to stop by. */
const LEAST = 4;

/**
 * Wins back quality at the same bytes: the layers' floats by least squares, then, where that is asked for, all floats
 * by distillation. Each step is kept only where the whole model's outputs come nearer to the original's on inputs that
 * the step did not learn from, so that no file gets worse.
 */
export async function recover(job: Job, choice: Plan['choice'], how: Recovery): Promise<Recovered> {
  const { model, inputs, options, clock, original } = job;
  const { threads, signal } = options;
  const judge = await Judge.create(original, inputs.probes, threads);
  const written = writeChoices(model, choice);
  const before = await judge.distortion(written);
  let best = { choice, model: written, distortion: before };
  const warnings: string[] = [];

  clock.start('recover layers', 1);
  const plan = { choice, price: 0, distortion: 0 };
  const refitted = await recoverLayers(model, plan, inputs.calibration, {
    threads,
    signal,
    cache: job.cache,
  });
  const changed = [...choice].filter(([site, scored]) => refitted.choice.get(site) !== scored).length;
  if (changed > 0) {
    const candidate = writeChoices(model, refitted.choice);
    const distortion = await judge.distortion(candidate);
    if (distortion < best.distortion) best = { choice: refitted.choice, model: candidate, distortion };
  }
  const afterLayers = best.distortion;
  let epochs = 0;
  if (how === 'distill' && best.distortion > 0) {
    const passed = clock.start('distill', RECOVERY_EPOCHS);
    try {
      // Where there are few inputs the probes are the calibration inputs: then a part of them is held out.
      const separate = inputs.probes.every(probe => !inputs.calibration.includes(probe));
      const result = await distill(original, best.model, inputs.calibration, {
        threads,
        signal,
        epochs: RECOVERY_EPOCHS,
        ...(separate && inputs.probes.length >= LEAST && { heldOut: inputs.probes }),
        onEpoch: epoch => passed(epoch),
      });
      epochs = result.epochs;
      const distortion = await judge.distortion(result.model);
      if (distortion < best.distortion) best = { ...best, model: result.model, distortion };
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error;
      warnings.push(`Recovery by distillation was left out: ${error.message}.`);
    }
  }
  return {
    choice: best.choice,
    model: best.model,
    report: {
      how,
      layers: best.choice === choice ? 0 : changed,
      epochs,
      samples: inputs.probes.length,
      before,
      afterLayers,
      after: best.distortion,
    },
    warnings,
  };
}

/** Tells how far written models are from the original, on the same inputs. */
class Judge {
  private readonly comparison: Distortion;
  private readonly samples: readonly Tensors[];
  private readonly threads: number | undefined;

  private constructor(comparison: Distortion, samples: readonly Tensors[], threads: number | undefined) {
    this.comparison = comparison;
    this.samples = samples;
    this.threads = threads;
  }

  static async create(
    original: Model,
    samples: readonly Tensors[],
    threads: number | undefined,
  ): Promise<Judge> {
    return new Judge(new Distortion(await runSamples(original, samples, threads)), samples, threads);
  }

  async distortion(model: Model): Promise<number> {
    const outputs = await runSamples(model, this.samples, this.threads);
    return outputs.reduce((sum, output, i) => sum + this.comparison.ofSample(i, output), 0) / outputs.length;
  }
}
