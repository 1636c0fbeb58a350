import { readSettings } from '../train/config/settings.js';
import { seedsOf } from './define.js';
import type { LoadedStudy } from './load.node.js';
import { keyOf } from './plan.node.js';
import { latest } from './record.js';
import { Results } from './results.node.js';
import { resultsPath, type StudyOptions } from './run.node.js';
import { type StudyReport, summarize } from './summary.js';

/** What the results of a study say so far, for these settings and seeds; all arms, whether run now or earlier. */
export async function reportStudy(
  loaded: LoadedStudy,
  {
    seeds,
    changes = [],
    out,
    command,
  }: Pick<StudyOptions, 'seeds' | 'changes' | 'out'> & { command: string },
): Promise<StudyReport> {
  const { study, name, definition } = loaded;
  const settings = readSettings(study.settings, changes);
  const records = latest(await new Results(resultsPath(loaded, out)).read());
  return summarize(study, records, {
    name,
    command,
    settings,
    seeds: seeds === undefined ? undefined : seedsOf(study, seeds),
    definition,
    keyOf: (arm, seed) => keyOf(study, { arm, seed, values: settings }),
  });
}
