import { type JudgedClaim, judgeClaims } from './claims.js';
import { type ArmComparison, type ComparedArm, compareArms } from './compare-arms.js';
import { type FigureColumn, type FigureFormat, labelOf, type Study, seedsOfArm } from './define.js';
import type { Curve, FailedRecord, FinishedRecord, Provenance, RunRecord } from './record.js';
import { mean, standardError } from './statistics/compare.js';

/** A figure of an arm over its seeds. */
export interface Spread {
  readonly mean: number;
  /** Of the mean; absent for a single run. */
  readonly standardError?: number;
  readonly values: readonly number[];
}

export interface Column {
  readonly figure: string;
  readonly label: string;
  readonly format: FigureFormat;
  /** What stands for a run that lacks the figure. */
  readonly absent?: string;
}

export interface ArmSummary {
  readonly name: string;
  readonly label: string;
  readonly group?: string;
  readonly series?: string;
  readonly x?: number;
  /** Runs by seed. */
  readonly runs: readonly FinishedRecord[];
  readonly failed: readonly FailedRecord[];
  /** Runs that are to come. */
  readonly missing: number;
  readonly figures: Readonly<Record<string, Spread>>;
  readonly curves: Readonly<Record<string, Curve>>;
  readonly against?: string;
  /** Absent for the reference, and where there are fewer than two seeds. */
  readonly comparison?: ArmComparison;
}

/** A study with all that its runs so far say, as plain JSON. */
export interface StudyReport {
  readonly version: 1;
  readonly date: string;
  readonly name: string;
  readonly title: string;
  readonly question: string;
  readonly notes: readonly string[];
  /** What sources say, and whether the runs agree. */
  readonly claims: readonly JudgedClaim[];
  readonly command: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Those that some arm has. */
  readonly seeds: readonly number[];
  readonly metric: Column & { readonly betterIs: 'higher' | 'lower' };
  readonly columns: readonly Column[];
  /** How every figure that some run has is called and written. */
  readonly figures: Readonly<Record<string, Column>>;
  readonly reference: string;
  readonly plot: { readonly x?: Column; readonly log: boolean; readonly worst?: number };
  readonly arms: readonly ArmSummary[];
  readonly made: readonly Provenance[];
  /** Runs that were made before the study's file was changed. */
  readonly outdated: number;
}

const STANDARD: Readonly<Record<string, Omit<Column, 'figure'>>> = {
  accuracy: { label: 'Accuracy', format: 'percent' },
  loss: { label: 'Loss', format: 'number' },
  perplexity: { label: 'Perplexity', format: 'number' },
  parameters: { label: 'Parameters', format: 'count' },
  bytes: { label: 'File', format: 'bytes' },
  flops: { label: 'FLOPs', format: 'count' },
  train_seconds: { label: 'Training', format: 'seconds' },
  cpu_seconds: { label: 'CPU time', format: 'seconds' },
  step_ms: { label: 'Step', format: 'ms' },
  memory: { label: 'Peak memory', format: 'bytes' },
};

const DEFAULT_COLUMNS: readonly FigureColumn[] = ['parameters', 'bytes', 'flops', 'cpu_seconds'].map(
  figure => ({ figure }),
);

/** Figures that every run has, and that the table does not show unless asked. */
const USUAL: ReadonlySet<string> = new Set([...Object.keys(STANDARD), 'updates']);

export interface SummaryOptions {
  readonly name: string;
  readonly command: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Default those of the study and of its arms. */
  readonly seeds?: readonly number[] | undefined;
  readonly date?: Date;
  /** The hash of the study's file as it is. */
  readonly definition: string;
  readonly keyOf: (arm: string, seed: number) => string;
}

/** Gathers the runs of a study with these settings and seeds. */
export function summarize(
  study: Study,
  records: ReadonlyMap<string, RunRecord>,
  { name, command, settings, seeds, date = new Date(), definition, keyOf }: SummaryOptions,
): StudyReport {
  const plain = Object.keys(study.arms).map(arm => {
    const own = seedsOfArm(study, arm, seeds);
    const found = own.flatMap(seed => records.get(keyOf(arm, seed)) ?? []);
    return summarizeArm(study, arm, found, own.length);
  });
  const arms = withComparisons(study, plain);
  const runs = arms.flatMap(arm => arm.runs);
  const figures = [...new Set(runs.flatMap(run => Object.keys(run.figures)))];
  const own = new Set(figures.filter(figure => !USUAL.has(figure)));
  for (const { figure } of [study.metric, ...(study.columns ?? [])]) own.delete(figure);
  const columns = [...(study.columns ?? DEFAULT_COLUMNS), ...[...own].map(figure => ({ figure }))];
  return {
    version: 1,
    date: date.toISOString(),
    name,
    title: study.title,
    question: study.question,
    notes: study.notes ?? [],
    claims: judgeClaims(study.claims ?? [], comparedArms(study, arms), study.metric, study.test),
    command,
    settings,
    seeds: [...new Set(Object.keys(study.arms).flatMap(arm => seedsOfArm(study, arm, seeds)))],
    metric: { ...columnOf(study.metric), betterIs: study.metric.betterIs },
    columns: columns.map(columnOf),
    figures: Object.fromEntries(figures.map(figure => [figure, columnOf({ figure })])),
    reference: study.reference,
    plot: {
      log: study.plot?.log ?? false,
      ...(study.plot?.x && { x: columnOf(study.plot.x) }),
      ...(study.plot?.worst !== undefined && { worst: study.plot.worst }),
    },
    arms,
    made: distinct(runs.map(({ made }) => made)),
    outdated: runs.filter(run => run.definition !== definition).length,
  };
}

function summarizeArm(study: Study, name: string, found: readonly RunRecord[], seeds: number): ArmSummary {
  const runs = found.filter(record => record.state === 'done');
  const failed = found.filter(record => record.state === 'failed');
  const { group, series, x, against = study.reference } = study.arms[name]!;
  const names = new Set(runs.flatMap(({ figures }) => Object.keys(figures)));
  const curves = new Set(runs.flatMap(run => Object.keys(run.curves)));
  return {
    name,
    label: labelOf(study, name),
    ...(group !== undefined && { group }),
    ...(series !== undefined && { series }),
    ...(x !== undefined && { x }),
    ...(against !== null && against !== name && { against }),
    runs,
    failed,
    missing: seeds - found.length,
    figures: Object.fromEntries(
      [...names].map(figure => [figure, spread(runs.flatMap(run => run.figures[figure] ?? []))]),
    ),
    curves: Object.fromEntries(
      [...curves].map(curve => [
        curve,
        meanCurve(runs.flatMap(run => (run.curves[curve] ? [run.curves[curve]] : []))),
      ]),
    ),
  };
}

const spread = (values: readonly number[]): Spread => ({
  mean: mean(values),
  ...(values.length > 1 && { standardError: standardError(values) }),
  values,
});

/** The mean of curves over seeds; those that were cut short, by early stopping, count as far as they go. */
function meanCurve(curves: readonly Curve[]): Curve {
  const longest = curves.reduce((a, b) => (b.length > a.length ? b : a));
  return longest.map(([update], i) => {
    const values = curves.flatMap(curve => (curve[i] ? [curve[i][1]] : []));
    return [update, mean(values)] as const;
  });
}

function withComparisons(study: Study, arms: readonly ArmSummary[]): ArmSummary[] {
  const comparisons = compareArms(comparedArms(study, arms), study.test);
  return arms.map((arm, i) => ({ ...arm, ...(comparisons[i] && { comparison: comparisons[i] }) }));
}

/**
 * What comparisons take of the arms: the deciding figure of each run. Runs do not lack it by chance, so that in an arm
 * with such a run the others do not speak for it.
 */
const comparedArms = ({ metric: { figure } }: Study, arms: readonly ArmSummary[]): ComparedArm[] =>
  arms.map(arm => ({
    ...arm,
    values: new Map(
      arm.figures[figure]?.values.length === arm.runs.length
        ? arm.runs.map(run => [run.seed, run.figures[figure]!])
        : [],
    ),
  }));

export function columnOf({ figure, label, format, absent }: FigureColumn): Column {
  const known = STANDARD[figure];
  return {
    figure,
    label: label ?? known?.label ?? figure.replaceAll('_', ' '),
    format: format ?? known?.format ?? (/accuracy|exact|f1$/i.test(figure) ? 'percent' : 'number'),
    ...(absent !== undefined && { absent }),
  };
}

const distinct = <T>(values: readonly T[]): T[] => [
  ...new Map(values.map(value => [JSON.stringify(value), value])).values(),
];
