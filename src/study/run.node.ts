import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../train/config/settings.js';
import { type Figures, needsOf, seedsOf } from './define.js';
import { JobProcess, type Outcome } from './job.node.js';
import type { LoadedStudy } from './load.node.js';
import { lock } from './lock.node.js';
import { isKept } from './needed.node.js';
import { keyOf, type PlannedRun, planRuns } from './plan.node.js';
import { provenance } from './provenance.node.js';
import { latest, type Provenance, type RunRecord } from './record.js';
import { Results } from './results.node.js';

export interface StudyOptions {
  /** So many seeds; default those of the study and of its arms. */
  readonly seeds?: number | undefined;
  readonly only?: readonly string[] | undefined;
  /** `key=value` texts. */
  readonly changes?: readonly string[];
  /** Runs side by side; default 2. */
  readonly jobs?: number | undefined;
  /** Threads inside an operator; default the cores divided among the jobs. */
  readonly threads?: number | undefined;
  /** Forget earlier runs of these arms, seeds and settings, and make them anew. */
  readonly fresh?: boolean | undefined;
  /** Where `results.jsonl` is; default the study's folder. */
  readonly out?: string | undefined;
  /** Where checkpoints, logs and models are kept; default `runs/studies/NAME`. */
  readonly scratch?: string | undefined;
  readonly onProgress?: (progress: StudyProgress) => void;
  /** Called when a run has ended. */
  readonly onRun?: (record: RunRecord, progress: StudyProgress) => void;
  readonly signal?: AbortSignal;
}

export interface StudyProgress {
  readonly ended: number;
  /** Runs that have ended, with the shares of those under way. */
  readonly done: number;
  readonly total: number;
  /** Runs under way, and how far they are. */
  readonly running: readonly { readonly arm: string; readonly seed: number; readonly share: number }[];
}

/**
 * Makes the runs of a study that are not in its results yet, each in a process of its own, and records each when it
 * ends. Failed runs are recorded with their reason; the next call tries them again.
 * @returns whether all was run, or the signal stopped it
 * @throws WhittleError for settings, seeds or arms that do not fit
 */
export async function runStudy(loaded: LoadedStudy, options: StudyOptions = {}): Promise<'done' | 'stopped'> {
  return new StudyRun(loaded, options).run();
}

export const resultsPath = ({ folder }: LoadedStudy, out?: string): string =>
  join(out ?? folder, 'results.jsonl');

class StudyRun {
  private readonly loaded: LoadedStudy;
  private readonly options: StudyOptions;
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly results: Results;
  private readonly scratch: string;
  private readonly jobs: number;
  private readonly threads: number;
  private readonly records = new Map<string, RunRecord>();
  private readonly running = new Map<PlannedRun, { job: JobProcess; share: number }>();
  /** What each run was started with: the code may change while it runs. */
  private readonly made = new Map<PlannedRun, Provenance>();
  private ended = 0;
  private total = 0;

  constructor(loaded: LoadedStudy, options: StudyOptions) {
    const { out, scratch = join('runs', 'studies', loaded.name), jobs = 2 } = options;
    this.loaded = loaded;
    this.options = options;
    this.values = readSettings(loaded.study.settings, options.changes ?? []);
    this.results = new Results(resultsPath(loaded, out));
    this.scratch = scratch;
    this.jobs = jobs;
    this.threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / jobs));
  }

  async run(): Promise<'done' | 'stopped'> {
    const { study } = this.loaded;
    const { seeds, only, out } = this.options;
    const plan = planRuns(study, {
      values: this.values,
      seeds: seeds === undefined ? undefined : seedsOf(study, seeds),
      only,
    });
    const unlock = await lock(this.scratch);
    try {
      if (out !== undefined) await mkdir(out, { recursive: true });
      return await this.runPlan(plan);
    } finally {
      await unlock();
    }
  }

  private async runPlan(plan: readonly PlannedRun[]): Promise<'done' | 'stopped'> {
    const { signal } = this.options;
    if (this.options.fresh) await this.forget(plan);
    for (const [key, record] of latest(await this.results.read())) this.records.set(key, record);
    let pending = this.pending(plan);
    this.total = pending.length;
    const stop = () => {
      for (const { job } of this.running.values()) job.stop();
    };
    signal?.addEventListener('abort', stop);
    try {
      while ((pending.length > 0 && !signal?.aborted) || this.running.size > 0) {
        while (this.running.size < this.jobs && !signal?.aborted) {
          const next = pending.find(run => this.isReady(run, pending));
          if (!next) break;
          pending = pending.filter(run => run !== next);
          await this.start(next);
        }
        await Promise.race([...this.running.values()].map(({ job }) => job.ended));
        for (const [run, { job }] of [...this.running]) if (job.outcome) await this.finish(run, job.outcome);
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      for (const { job } of this.running.values()) job.kill();
      await this.results.close();
    }
    return signal?.aborted ? 'stopped' : 'done';
  }

  private async forget(plan: readonly PlannedRun[]): Promise<void> {
    await this.results.forget(new Set(plan.map(({ key }) => key)));
    for (const { key } of plan) await rm(join(this.scratch, key), { recursive: true, force: true });
  }

  /** Runs without a result, and those whose result is there but not their weights, which another run needs. */
  private pending(plan: readonly PlannedRun[]): PlannedRun[] {
    const pending = new Set<PlannedRun>();
    for (const run of plan.toReversed()) {
      const wanted = [...pending].some(({ needs }) => needs.includes(run.key));
      const known = this.records.get(run.key)?.state === 'done';
      if (!known || (wanted && !isKept(this.scratch, run.key))) pending.add(run);
    }
    return plan.filter(run => pending.has(run));
  }

  private isReady({ needs }: PlannedRun, pending: readonly PlannedRun[]): boolean {
    const open = [...pending, ...this.running.keys()];
    return needs.every(key => !open.some(other => other.key === key));
  }

  private async start(run: PlannedRun): Promise<void> {
    const failed = run.needs.map(key => this.records.get(key)).find(record => record?.state !== 'done');
    if (run.needs.length > 0 && failed) {
      return this.record(run, {
        kind: 'failed',
        reason: `it needs the run of "${failed.arm}", which failed`,
      });
    }
    const { study, file } = this.loaded;
    const keys: Record<string, string> = {};
    const known: Record<string, Figures> = {};
    for (const arm of Object.keys(study.arms)) {
      keys[arm] = keyOf(study, { arm, seed: run.seed, values: this.values });
    }
    for (const arm of needsOf(study.arms[run.arm]!)) {
      const record = this.records.get(keys[arm]!);
      if (record?.state === 'done') known[arm] = record.figures;
    }
    const { arm, seed, key } = run;
    const { scratch, threads } = this;
    const changes = this.options.changes ?? [];
    const entry = {
      job: new JobProcess({ kind: 'run', file, arm, seed, key, changes, scratch, keys, known, threads }),
      share: 0,
    };
    entry.job.onProgress = share => {
      entry.share = share;
      this.options.onProgress?.(this.progress);
    };
    this.made.set(run, this.provenance());
    this.running.set(run, entry);
    this.options.onProgress?.(this.progress);
  }

  private async finish(run: PlannedRun, outcome: Outcome): Promise<void> {
    this.running.delete(run);
    // An interrupted run goes on from its checkpoint the next time; there is nothing to record.
    if (outcome.kind !== 'stopped') await this.record(run, outcome);
  }

  private async record(run: PlannedRun, outcome: Exclude<Outcome, { kind: 'stopped' }>): Promise<void> {
    const { key, arm, seed } = run;
    const head = {
      format: 1,
      key,
      arm,
      seed,
      settings: this.values,
      definition: outcome.kind === 'done' ? outcome.definition : this.loaded.definition,
      date: new Date().toISOString(),
      made: this.made.get(run) ?? this.provenance(),
    } as const;
    const record: RunRecord =
      outcome.kind === 'done'
        ? { ...head, state: 'done', figures: outcome.figures, curves: outcome.curves }
        : { ...head, state: 'failed', reason: outcome.reason };
    await this.results.append(record);
    this.records.set(key, record);
    this.ended++;
    this.options.onRun?.(record, this.progress);
  }

  private provenance(): Provenance {
    return provenance({ threads: this.threads, jobs: this.jobs });
  }

  private get progress(): StudyProgress {
    const running = [...this.running].map(([{ arm, seed }, { share }]) => ({ arm, seed, share }));
    return {
      ended: this.ended,
      done: this.ended + running.reduce((sum, { share }) => sum + share, 0),
      total: this.total,
      running,
    };
  }
}
