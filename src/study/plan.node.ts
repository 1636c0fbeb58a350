import { createHash } from 'node:crypto';
import { WhittleError } from '../graph/errors.js';
import { needsOf, type Study, seedsOfArm } from './define.js';

/** A run to be made. */
export interface PlannedRun {
  readonly key: string;
  readonly arm: string;
  readonly seed: number;
  /** Keys of the runs whose weights it needs. */
  readonly needs: readonly string[];
}

export interface PlanOptions {
  readonly values: Readonly<Record<string, unknown>>;
  /** Default those of the study and of its arms. */
  readonly seeds?: readonly number[] | undefined;
  /** Arms to run, with those that they need; default all. */
  readonly only?: readonly string[] | undefined;
}

/**
 * The runs of a study, seed by seed, so that an early look compares all arms on the seeds that there are. A run stands
 * behind those that it needs.
 * @throws WhittleError for an arm that there is not
 */
export function planRuns(study: Study, { values, seeds, only }: PlanOptions): PlannedRun[] {
  for (const arm of only ?? []) {
    if (arm in study.arms) continue;
    throw new WhittleError(`the study has no arm "${arm}"`, {
      hint: `Arms are ${Object.keys(study.arms).join(', ')}`,
    });
  }
  const chosen = only ?? Object.keys(study.arms);
  const key = (arm: string, seed: number) => keyOf(study, { arm, seed, values });
  const all = new Set(chosen.flatMap(arm => seedsOfArm(study, arm, seeds)));
  return [...all].flatMap(seed => {
    const wanted = new Set<string>();
    const want = (arm: string): void => {
      if (wanted.has(arm)) return;
      for (const other of needsOf(study.arms[arm]!)) want(other);
      wanted.add(arm);
    };
    for (const arm of chosen) if (seedsOfArm(study, arm, seeds).includes(seed)) want(arm);
    return [...wanted].map(arm => ({
      key: key(arm, seed),
      arm,
      seed,
      needs: needsOf(study.arms[arm]!).map(other => key(other, seed)),
    }));
  });
}

/** Names a run by what decides its result: arm, seed, settings and versions, and the same of the arms that it needs. */
export function keyOf(
  study: Study,
  run: { readonly arm: string; readonly seed: number; readonly values: Readonly<Record<string, unknown>> },
): string {
  const { arm, seed, values } = run;
  const definition = study.arms[arm]!;
  const places: readonly string[] = study.places ?? [];
  const deciding = Object.entries(values).filter(([name]) => !places.includes(name));
  const settings = deciding.sort(([a], [b]) => (a < b ? -1 : 1));
  const needs = needsOf(definition).map(other => keyOf(study, { ...run, arm: other }));
  const text = JSON.stringify([arm, seed, settings, study.version ?? 1, definition.version ?? 1, needs]);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return `${arm}-${seed}-${hash}`;
}
