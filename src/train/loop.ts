import type { Tensor } from '../graph/tensor.js';
import { restoreBest, saveBest } from './best-weights.js';
import { checkSameTraining } from './checkpoint/same-training.js';
import type { Loader } from './data/loader.js';
import { BestSoFar, type Goal } from './early-stopping.js';
import type { Evaluated, Evaluator } from './evaluate.js';
import type { TrainingMethod } from './method.js';
import { checkEvaluation, checkMetrics, checkStates } from './non-finite.js';
import type { TrainOptions, TrainResult } from './options.js';
import { openParts, type Parts } from './parts.js';
import { Run } from './run.js';
import { SavedParts } from './saved-parts.js';
import { type Moment, type Schedule, toSchedule } from './schedules/schedule.js';
import type { StepRunner } from './step/runner.js';

const LOWEST_LOSS: Goal = { metric: 'loss', betterIs: 'lower' };

/** One training from its first or next update to its end. Opened once, run once. */
export class Loop {
  private readonly options: TrainOptions;
  private readonly loader: Loader;
  private readonly runner: StepRunner;
  private readonly evaluator: Evaluator | undefined;
  private readonly evaluationBatch: number;
  private readonly runState: Run;
  private readonly rate: Schedule;
  private readonly decay: Schedule;
  private readonly goal: Goal;
  private readonly best: BestSoFar;
  private readonly methods: readonly TrainingMethod[];
  private readonly updates: number;
  private readonly updatesPerEpoch: number;
  private readonly evaluateEvery: number;
  private readonly startedAt: number = performance.now();
  private secondsBefore = 0;
  private evaluation: Evaluated | undefined;
  /** Kept for early stopping, which ends with them. */
  private bestWeights: ReadonlyMap<string, Tensor> | undefined;
  private place: string | undefined;
  /** The update that the last checkpoint is of. */
  private savedAt: number | undefined;

  private constructor(options: TrainOptions, { loader, runner, evaluator, evaluationBatch }: Parts) {
    const { epochs, updates, evaluation = {}, accumulation = 1 } = options;
    this.options = options;
    this.loader = loader;
    this.runner = runner;
    this.evaluator = evaluator;
    this.evaluationBatch = evaluationBatch;
    this.updatesPerEpoch = Math.max(1, Math.floor(loader.batchesPerEpoch / accumulation));
    const asked = updates ?? Math.max(1, Math.round(epochs! * this.updatesPerEpoch));
    this.methods = options.methods ?? [];
    this.updates = this.methods.reduce((count, method) => method.lengthen?.(count) ?? count, asked);
    this.evaluateEvery = Math.max(1, Math.round((evaluation.every ?? 1) * this.updatesPerEpoch));
    this.runState = new Run(runner, {
      updates: this.updates,
      data: options.data.train,
      seed: options.seed ?? 0,
    });
    this.rate = toSchedule(options.learningRate);
    this.decay = toSchedule(options.weightDecay ?? 0);
    this.goal = evaluation.goal ?? LOWEST_LOSS;
    this.best = new BestSoFar(this.goal, options.earlyStopping);
  }

  static async open(options: TrainOptions): Promise<Loop> {
    const loop = new Loop(options, await openParts(options));
    try {
      // Now rather than after an epoch.
      const measured = loop.evaluator?.metrics;
      if (measured) loop.best.requireMetric(measured);
      if (options.checkpoints?.resume) await loop.restore();
      for (const log of options.logs ?? []) await log.open(loop.runner.update);
    } catch (error) {
      await loop.close();
      throw error;
    }
    return loop;
  }

  async run(): Promise<TrainResult> {
    const { runner, runState, options } = this;
    const { checkpoints, signal, logEvery = 1 } = options;
    const checkpointEvery = checkpoints?.every ?? this.updatesPerEpoch;
    await runState.tell('started');
    let ended: TrainResult['ended'] = this.best.shouldStop ? 'early' : 'done';
    while (runner.update < this.updates && ended === 'done') {
      if (signal?.aborted) {
        ended = 'aborted';
        break;
      }
      const before = runner.update;
      const { learningRate } = await this.stepOnce();
      const { update } = runner;
      // An update that overflowed under loss scaling was left out.
      if (update === before) continue;
      const last = update === this.updates;
      if (update % logEvery === 0 || last) await this.logStep(learningRate);
      if (this.evaluator && (update % this.evaluateEvery === 0 || last)) await this.evaluate();
      if (this.best.shouldStop) ended = 'early';
      if (checkpoints && (update % checkpointEvery === 0 || last || ended === 'early')) await this.save();
    }
    if (ended === 'aborted' && checkpoints) await this.save();
    // Whatever is given back was looked at: these weights now, the best ones when they were found.
    if (!this.bestWeights && this.savedAt !== runner.update) checkStates(runner, this.place);
    return this.result(ended);
  }

  async close(): Promise<void> {
    const logs = this.options.logs ?? [];
    const closings = [...logs.map(log => log.close()), this.runner.release(), this.evaluator?.release()];
    const failed = (await Promise.allSettled(closings)).find(result => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** One update, of one or several batches. */
  private async stepOnce(): Promise<{ learningRate: number }> {
    const { runner, runState } = this;
    const { accumulation = 1 } = this.options;
    const moment = this.moment();
    const learningRate = this.rate.at(moment);
    const rates = { learningRate, weightDecay: this.decay.at(moment), count: moment.update + 1 };
    runState.learningRate = learningRate;
    await runState.tell('beforeStep');
    const observe = runState.takeWanted();
    const sums: Record<string, number> = {};
    do {
      const batch = await this.loader.next();
      const metrics = await runner.run(batch, rates, observe);
      checkMetrics(runner, metrics, this.place, batch);
      for (const name in metrics) sums[name] = (sums[name] ?? 0) + metrics[name]! / accumulation;
    } while (runner.batch % accumulation !== 0);
    runState.metrics = sums;
    await runState.tell('afterStep');
    this.options.onProgress?.({
      phase: 'train',
      done: runner.update,
      total: this.updates,
      detail: describe({ ...sums, ...prefixed('test ', this.evaluation) }),
    });
    return { learningRate };
  }

  private async logStep(learningRate: number): Promise<void> {
    const { runState } = this;
    const logged = Object.fromEntries(runState.logged);
    runState.logged.clear();
    await this.log('step', { ...runState.metrics, learning_rate: learningRate, ...logged });
  }

  private async evaluate(): Promise<void> {
    const { evaluator, runner, options } = this;
    const replacements = this.runState.replacements();
    const evaluation = await evaluator!.run(options.data.test!, runner.states, {
      batchSize: this.evaluationBatch,
      replacements,
      onBatch: (metrics, batch, first) => checkEvaluation(runner, metrics, this.place, { batch, first }),
      onProgress: (done, total) =>
        options.onProgress?.({ phase: 'evaluate', done, total, detail: describe(this.evaluation ?? {}) }),
    });
    checkEvaluation(runner, evaluation, this.place);
    this.evaluation = evaluation;
    await this.log('evaluation', evaluation);
    this.rate.observe?.(evaluation);
    this.decay.observe?.(evaluation);
    if (!this.runState.settled || !this.best.observe(runner.update, evaluation)) return;
    checkStates(runner, this.place);
    const weights = this.runState.weights({ replaced: true });
    if (options.earlyStopping) this.bestWeights = weights;
    if (options.checkpoints) await saveBest(options.checkpoints.store, weights, this.best.best!);
  }

  private async save(): Promise<void> {
    const { runner, runState, options } = this;
    if (this.savedAt === runner.update) return;
    const { store, settings } = options.checkpoints!;
    checkStates(runner, this.place);
    for (const log of options.logs ?? []) await log.flush();
    this.place = await store.save({
      model: runState.weights({ replaced: false }),
      states: runState.states(),
      progress: {
        format: 1,
        seed: options.seed ?? 0,
        runner: runner.progress,
        loader: this.loader.state,
        seconds: this.seconds,
        saved: { ...this.saved().save(), evaluation: this.evaluation ?? null },
        ...(settings && { settings }),
      },
    });
    this.savedAt = runner.update;
  }

  private async restore(): Promise<void> {
    const { store, settings } = this.options.checkpoints!;
    const found = await store.load();
    if (!found) return;
    const { checkpoint, place } = found;
    const { progress } = checkpoint;
    checkSameTraining(progress, { seed: this.options.seed ?? 0, settings, goal: this.goal }, place);
    this.runState.restore(checkpoint.model, checkpoint.states, place);
    this.runner.restore(progress.runner);
    this.loader.restore(progress.loader);
    this.saved(checkpoint.states).restore(progress.saved, place);
    const evaluation = progress.saved.evaluation as Evaluated | null | undefined;
    // JSON has null for NaN, which earlier versions went on with.
    const whole = evaluation && Object.values(evaluation).every(value => typeof value === 'number');
    this.evaluation = whole ? evaluation : undefined;
    this.secondsBefore = progress.seconds;
    if (this.options.earlyStopping) this.bestWeights = await restoreBest(store, this.best, place);
    this.place = place;
    this.savedAt = progress.runner.update;
  }

  private async log(kind: 'step' | 'evaluation', values: Readonly<Record<string, number>>): Promise<void> {
    const { update } = this.runner;
    const epoch = update / this.updatesPerEpoch;
    for (const log of this.options.logs ?? []) {
      await log.write({ kind, update, epoch, seconds: this.seconds, values });
    }
  }

  private result(ended: TrainResult['ended']): TrainResult {
    const { best } = this.best;
    return {
      network: this.runState.networkWith(this.bestWeights ?? this.runState.weights({ replaced: true })),
      updates: this.runner.update,
      ended,
      evaluation: this.evaluation,
      best: best && { ...best, metric: this.goal.metric },
      checkpoint: this.place,
      seconds: this.seconds,
    };
  }

  /** @param states tensors of a checkpoint that is put back */
  private saved(states?: ReadonlyMap<string, Tensor>): SavedParts {
    return new SavedParts({
      learningRate: this.rate,
      weightDecay: this.decay,
      best: this.best,
      ...this.runState.savedMethods(states),
    });
  }

  private moment(): Moment {
    const moment = {
      update: this.runner.update,
      updates: this.updates,
      updatesPerEpoch: this.updatesPerEpoch,
    };
    return this.methods.reduce<Moment>((at, method) => method.moment?.(at) ?? at, moment);
  }

  private get seconds(): number {
    return this.secondsBefore + (performance.now() - this.startedAt) / 1000;
  }
}

const describe = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(', ');

const prefixed = (prefix: string, values: Evaluated = {}): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
