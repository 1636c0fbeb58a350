import type { SessionOptions } from 'whittle-nn/runtime';
import { type Arm, trains } from 'whittle-nn/study';
import type { Setting } from 'whittle-nn/train';

/** Where a study at full scale runs. */
export interface Placed {
  readonly provider: 'cuda' | 'cpu';
}

/**
 * The arms of a small study with the settings of a large one: each sees what `adapt` makes of them, and trains where they
 * say. Labels, groups and rivals stay.
 */
export const scaledArms = <Small, Large extends Placed>(
  arms: Readonly<Record<string, Arm<Small>>>,
  adapt: (values: Large) => Small,
): Record<string, Arm<Large>> =>
  Object.fromEntries(Object.entries(arms).map(([name, arm]) => [name, scaled(arm, adapt)]));

function scaled<Small, Large extends Placed>(arm: Arm<Small>, adapt: (values: Large) => Small): Arm<Large> {
  const { measure } = arm;
  const measured: Pick<Arm<Large>, 'measure'> = measure
    ? { measure: trained => measure({ ...trained, settings: adapt(trained.settings) }) }
    : {};
  if (!trains(arm)) {
    const { measure: _, derive, ...rest } = arm;
    return {
      ...rest,
      derive: (values, seed, needed) => derive(adapt(values), seed, needed),
      ...measured,
    };
  }
  const { measure: _, train, ...rest } = arm;
  return {
    ...rest,
    async train(values, seed, needed) {
      const training = await train(adapt(values), seed, needed);
      const session: SessionOptions = { ...training.session, provider: values.provider };
      return { ...training, session };
    },
    ...measured,
  };
}

/** A setting with another default. */
export const withDefault = <T>(setting: Setting<T>, fallback: T): Setting<T> => ({ ...setting, fallback });
