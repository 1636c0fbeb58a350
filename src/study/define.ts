import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import type { Network } from '../nn/network.js';
import type { ConfiguredTraining } from '../train/config/config.js';
import type { Settings, ValuesOf } from '../train/config/settings.js';
import type { Evaluated } from '../train/evaluate.js';
import { type Claim, checkClaims } from './claims.js';

/** Named numbers of a run. Those that an arm measures stand beside the standard ones, and replace them by name. */
export type Figures = Readonly<Record<string, number>>;

/** A run that has ended, of an arm that another arm needs. */
export interface FinishedRun {
  readonly figures: Figures;
  /** The network as the arm builds it, in training form, with the trained weights in it. */
  network(): Promise<Network>;
  /** The exported inference model. */
  model(): Promise<Model>;
}

/** Gives the run of an arm named in `needs`, of the same seed and settings. @throws WhittleError for another arm */
export type Needed = (arm: string) => Promise<FinishedRun>;

/** What `measure` sees of a run. */
export interface TrainedArm<V> {
  readonly settings: V;
  readonly seed: number;
  /** In training form, with the trained weights; absent for an arm that derives its model. */
  readonly network: Network | undefined;
  /** The inference model, as it is saved. */
  readonly model: Model;
  /** What the inference model reached on the test set. */
  readonly evaluation: Evaluated;
  /** What the training or deriving tells of itself, e.g. `updates`. */
  readonly figures: Figures;
  readonly needed: Needed;
  /** Measures any model of the same inputs and outputs on the test set, e.g. what `compress()` made of this one. */
  evaluate(model: Model): Promise<Evaluated>;
}

interface ArmBase<V> {
  /** What tables and plots call it; default its name. */
  readonly label?: string;
  /**
   * Rows of a group stand together in the table, e.g. `about 10% of the parameters`. Each group asks a question of its
   * own: p-values are corrected for the comparisons within it.
   */
  readonly group?: string;
  /** Arms of a series are joined by a line in the plot. */
  readonly series?: string;
  /** Where the arm stands on the plot's horizontal axis, where that is no figure of the run. */
  readonly x?: number;
  /** The arm to compare with; default the study's reference. `null` for none, where others only begin with this one. */
  readonly against?: string | null;
  /**
   * Seeds of its own, as the study's; default those. An arm that others are compared with decides more with more of them,
   * above all where its spread is large. Arms of different seeds are compared as independent samples.
   */
  readonly seeds?: number | readonly number[];
  /** Arms whose runs of the same seed this one needs. */
  readonly needs?: string | readonly string[];
  /** Change it where the arm computes something else than before: its runs are then made anew. Default 1. */
  readonly version?: number;
  /** Further figures, e.g. after compression. */
  measure?(trained: TrainedArm<V>): Figures | Promise<Figures>;
}

/** An arm that trains. */
export interface TrainingArm<V> extends ArmBase<V> {
  /** The training of this seed. It should pass the seed on, to the network too. */
  train(settings: V, seed: number, needed: Needed): ConfiguredTraining | Promise<ConfiguredTraining>;
  /** The inference model of the trained network; default `exportTrained`, as its methods say. */
  export?(network: Network): Model | Promise<Model>;
}

/** An arm that makes its model from another arm's without training, e.g. by `compress()`. */
export interface DerivingArm<V> extends ArmBase<V> {
  /** The model, and figures that cannot be read off it. It is measured as the first arm in `needs` is. */
  derive(
    settings: V,
    seed: number,
    needed: Needed,
  ): Promise<{ readonly model: Model; readonly figures?: Figures }>;
}

export type Arm<V> = TrainingArm<V> | DerivingArm<V>;

/** How a figure is written: `percent` is for shares such as accuracies, whose differences are points. */
export type FigureFormat = 'percent' | 'number' | 'bytes' | 'count' | 'ms' | 'seconds';

/** A figure as tables and plots show it. */
export interface FigureColumn {
  readonly figure: string;
  /** Default the figure's name. */
  readonly label?: string;
  readonly format?: FigureFormat;
  /** What stands for a run without the figure, e.g. `> 512` where a search found nothing; default a dash. */
  readonly absent?: string;
}

export interface Study<S extends Settings = Settings> {
  readonly title: string;
  /** What the study asks, in a sentence. */
  readonly question: string;
  /** What the setting cannot show, and how it differs from that of its source. */
  readonly notes?: readonly string[];
  /** What sources say of its arms; the report says whether the runs agree. */
  readonly claims?: readonly Claim[];
  readonly settings: S;
  /** Settings that say where things lie, such as folders of data: results do not depend on them. */
  readonly places?: readonly (keyof S & string)[];
  /** A number n stands for the seeds 0 … n − 1; default 3. */
  readonly seeds?: number | readonly number[];
  /** The figure that decides. */
  readonly metric: FigureColumn & { readonly betterIs: 'higher' | 'lower' };
  /** Further columns of the table; default parameters, bytes, FLOPs and training time. */
  readonly columns?: readonly FigureColumn[];
  /** The arm that others are compared with. */
  readonly reference: string;
  /**
   * How arms are compared: by the differences within each seed, with the spread of these two alone (`paired`) or of all
   * arms of the group (`blocked`), or as independent samples (`welch`). Default, where both arms have the same seeds, the
   * spread of those arms of the group that are alike in it, and for an arm of a larger spread its own: few seeds tell
   * little of a spread, many arms more.
   */
  readonly test?: 'blocked' | 'paired' | 'welch';
  /** Horizontal axis of the plot: a figure; default the arms' `x`, and bars where they have none. */
  readonly plot?: {
    readonly x?: FigureColumn;
    readonly log?: boolean;
    /** Arms that are worse stand at the edge: else one that falls apart flattens all others. */
    readonly worst?: number;
  };
  /** Figures over training to keep of each run, beside evaluations and the loss; `*` stands for anything. */
  readonly curves?: readonly string[];
  /** Change it where all arms compute something else than before. Default 1. */
  readonly version?: number;
  /** By name. The order is that of the table. */
  readonly arms: Readonly<Record<string, Arm<ValuesOf<S>>>>;
}

/** Describes a study for `whittle study`: the default export of a `study.ts`. */
export const defineStudy = <const S extends Settings>(study: Study<S>): Study<S> => study;

/** Whether the networks of an arm are trained, rather than made from another arm's. */
export const trains = <V>(arm: Arm<V>): arm is TrainingArm<V> => 'train' in arm;

/** Names of the arms whose runs of the same seed an arm needs. */
export const needsOf = ({ needs = [] }: Pick<ArmBase<unknown>, 'needs'>): readonly string[] =>
  typeof needs === 'string' ? [needs] : needs;

/** What reports call an arm; its name where it has no label. */
export const labelOf = (study: Pick<Study, 'arms'>, arm: string): string => study.arms[arm]?.label ?? arm;

/** The seeds of a study, or so many of them. */
export function seedsOf({ seeds = 3 }: Pick<Study, 'seeds'>, count?: number): readonly number[] {
  const all = typeof seeds === 'number' ? upTo(seeds) : seeds;
  if (count === undefined) return all;
  return count <= all.length ? all.slice(0, count) : [...all, ...more(all, count - all.length)];
}

/** The seeds of an arm: those asked for, else its own, else the study's. */
export const seedsOfArm = (study: Study, arm: string, asked?: readonly number[]): readonly number[] =>
  asked ?? seedsOf({ seeds: study.arms[arm]?.seeds ?? study.seeds ?? 3 });

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const more = (taken: readonly number[], count: number): number[] =>
  upTo(taken.length + count)
    .filter(seed => !taken.includes(seed))
    .slice(0, count);

/**
 * Checks what a file exports.
 * @throws WhittleError where it is no study, or one whose arms do not fit together
 */
export function asStudy(exported: unknown, file: string): Study {
  const study = (exported ?? {}) as Partial<Study>;
  const { title, question, settings, arms, metric, reference } = study;
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  if (!isObject(arms) || !isObject(settings) || !isObject(metric) || typeof reference !== 'string') {
    throw new WhittleError('the file describes no study', {
      file,
      hint: 'Export default defineStudy({ title, question, settings, metric, reference, arms })',
    });
  }
  const fail = (problem: string, hint: string): never => {
    throw new WhittleError(problem, { file, hint });
  };
  if (!title || !question) fail('the study lacks a title or a question', 'Say what it asks');
  if (!metric.figure || !['higher', 'lower'].includes(metric.betterIs)) {
    fail('the study does not say what decides', "Give metric: { figure: 'accuracy', betterIs: 'higher' }");
  }
  checkSeeds(study.seeds, fail);
  checkArms(arms, reference, fail);
  if (study.claims !== undefined) checkClaims(study.claims, Object.keys(arms), fail);
  return study as Study;
}

type Fail = (problem: string, hint: string) => never;

function checkSeeds(seeds: Study['seeds'], fail: Fail): void {
  const list = typeof seeds === 'number' ? [seeds - 1] : (seeds ?? [0]);
  const sound = list.length > 0 && list.every(seed => Number.isSafeInteger(seed) && seed >= 0);
  if (!sound || new Set(list).size < list.length) {
    fail('the seeds make no sense', 'Give a count of at least 1, or different whole numbers from 0 on');
  }
}

function checkArms(arms: Study['arms'], reference: string, fail: Fail): void {
  const names = Object.keys(arms);
  const known = `Arms are ${names.join(', ') || 'none'}`;
  if (!(reference in arms)) fail(`the study has no arm "${reference}" to refer to`, known);
  for (const name of names) {
    const arm = arms[name]! as Partial<TrainingArm<unknown>> & Partial<DerivingArm<unknown>>;
    if (!/^[\w.+%-]+$/.test(name)) {
      fail(
        `the arm "${name}" has a name that cannot name a folder`,
        'Use letters, digits, . + % - and _, and put the rest into its label',
      );
    }
    checkSeeds(arm.seeds, fail);
    if ((typeof arm.train === 'function') === (typeof arm.derive === 'function')) {
      fail(`the arm "${name}" does not say how its model is made`, 'Give it one of train and derive');
    }
    if (arm.derive && needsOf(arm).length === 0) {
      fail(`the arm "${name}" derives its model from nothing`, 'Name the arm to derive it from in needs');
    }
    for (const other of [...needsOf(arm), ...(arm.against == null ? [] : [arm.against])]) {
      if (!(other in arms)) fail(`the arm "${name}" refers to "${other}", which is no arm`, known);
    }
    if (reaches(arms, name, name)) {
      fail(`the arm "${name}" needs itself`, 'Break the circle among the arms that need each other');
    }
  }
}

/** Whether the needs of `from`, or theirs, lead to `to`. */
function reaches(arms: Study['arms'], from: string, to: string, seen = new Set<string>()): boolean {
  for (const next of needsOf(arms[from] ?? {})) {
    if (next === to) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    if (reaches(arms, next, to, seen)) return true;
  }
  return false;
}
