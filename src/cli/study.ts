import { join } from 'node:path';
import { Command, Option } from 'commander';
import { WhittleError } from '../graph/errors.js';
import { brief, formatDuration, plural } from '../report/format.js';
import { valueText } from '../report/study.js';
import { studyMarkdown } from '../report/study-markdown.js';
import { studyText } from '../report/terminal/study.js';
import type { LoadedStudy, RunRecord, StudyProgress, StudyReport } from '../study/index.node.js';
import { columnOf } from '../study/summary.js';
import {
  type CommonOptions,
  commandLine,
  examples,
  list,
  positiveInteger,
  repeated,
  threadCount,
  withCommonOptions,
} from './arguments.js';
import { Stopped } from './errors.js';
import { Forecast } from './forecast.js';
import { ProgressLine } from './progress.js';
import { settingsText } from './settings.js';
import { makeFolder, writeText } from './targets.js';
import type { Terminal } from './terminal.js';

interface StudyFlags extends CommonOptions {
  seeds?: number;
  only?: string[];
  jobs: number;
  threads?: number;
  set?: string[];
  out?: string;
  scratch?: string;
  fresh?: boolean;
  reportOnly?: boolean;
  settings?: boolean;
}

/** `whittle study FOLDER`: runs an experiment and says what its numbers support. */
export function studyVerb(terminal: Terminal): Command {
  const command = new Command('study');
  return withCommonOptions(
    command
      .summary('run an experiment: arms, seeds, a table, a verdict')
      .description(
        'Makes the runs of a study (arms × seeds) that are not in its results yet, each in a process of its own, and writes table, page, figure and verdict. Each run is kept when it ends: the same command goes on where a killed study stopped. Failed runs are shown, and tried again the next time.',
      )
      .argument('<study>', 'a folder with a study.ts whose default export is defineStudy(…)')
      .option('--seeds <count>', 'so many seeds (default: those of the study)', positiveInteger)
      .option('--only <arms>', 'only these arms, with commas between, and those that they need', list)
      .option('--jobs <count>', 'runs side by side', threadCount, 2)
      .option(
        '--threads <count>',
        'threads of each run (default: the cores divided among the jobs)',
        threadCount,
      )
      .option('--set <key=value>', 'change a setting of the study; may be repeated', repeated)
      .option('--settings', 'list the settings of the study and stop')
      .option('--out <folder>', 'where results go (default: the study’s folder)')
      .option('--scratch <folder>', 'where checkpoints and models go (default: runs/studies/NAME)')
      .option('--fresh', 'forget earlier runs of these arms, seeds and settings')
      .addOption(new Option('--report-only', 'run nothing, write the report anew').conflicts('fresh')),
  )
    .addHelpText(
      'after',
      examples([
        ['Run a study, or go on with it:', 'whittle study docs/studies/low-rank'],
        [
          'A quick look at two arms:',
          'whittle study docs/studies/low-rank --only dense,narrow-10 --seeds 1 --set epochs=1 --out /tmp/look',
        ],
        ['Write the page anew:', 'whittle study docs/studies/low-rank --report-only'],
      ]),
    )
    .action((path: string, flags: StudyFlags) => study(path, flags, terminal, command.parent?.args ?? []));
}

async function study(
  path: string,
  flags: StudyFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  const { loadStudy, runStudy, reportStudy } = await import('../study/index.node.js');
  const loaded = await loadStudy(path);
  if (flags.settings) return terminal.out(settingsText(loaded.study.settings, flags));
  const options = { ...flags, changes: flags.set ?? [] };
  const out = flags.out ?? loaded.folder;
  if (!flags.reportOnly) {
    const display = new StudyDisplay(loaded, terminal);
    const ended = await runStudy(loaded, {
      ...options,
      signal: terminal.signal,
      onProgress: display.update,
      onRun: display.ended,
    }).finally(() => display.end());
    if (ended === 'stopped')
      throw new Stopped('Stopped. Runs that had ended are kept; the same command goes on.');
  }
  const report = await reportStudy(loaded, { ...options, command: commandLine(repeating(args)) });
  const files = await writeReport(report, out);
  if (flags.json) terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  else terminal.out(`${studyText(report, terminal)}\n\n${files.map(file => `${file}\n`).join('')}`);
  const failed = report.arms.reduce((sum, arm) => sum + arm.failed.length, 0);
  if (failed > 0) {
    throw new WhittleError(`${plural(failed, 'run')} failed`, {
      hint: 'The reasons are in the report; the same command tries again',
    });
  }
}

/** The command that makes the runs and writes the report, whatever this one did. */
const repeating = (args: readonly string[]): string[] =>
  args.filter(arg => !['--report-only', '--fresh', '--json', '--verbose'].includes(arg));

async function writeReport(report: StudyReport, out: string): Promise<string[]> {
  const { studyPage } = await import('../report/pages/study.js');
  const { studyFigure } = await import('../report/plot/study.js');
  await makeFolder(out);
  const files = {
    'results.md': studyMarkdown(report),
    'results.html': studyPage(report),
    'figure.svg': studyFigure(report),
  };
  for (const [name, text] of Object.entries(files)) await writeText(join(out, name), text);
  return Object.keys(files).map(name => join(out, name));
}

/** A bar while runs are under way, and a line for each that has ended. */
class StudyDisplay {
  private readonly loaded: LoadedStudy;
  private readonly terminal: Terminal;
  private readonly line: ProgressLine;
  private readonly forecast = new Forecast();

  constructor(loaded: LoadedStudy, terminal: Terminal) {
    this.loaded = loaded;
    this.terminal = terminal;
    this.line = new ProgressLine(terminal);
  }

  readonly update = ({ done, total, running }: StudyProgress): void => {
    this.forecast.left('study', done, total, performance.now());
    this.line.update({
      phase: 'percent',
      done: Math.floor((100 * done) / total),
      total: 100,
      detail: running.map(({ arm, seed, share }) => `${arm} ${seed} ${Math.floor(100 * share)}%`).join(', '),
    });
  };

  readonly ended = (record: RunRecord, { done, ended, total }: StudyProgress): void => {
    this.line.end();
    const metric = columnOf(this.loaded.study.metric);
    const left = this.forecast.left('study', done, total, performance.now());
    const outcome =
      record.state === 'failed'
        ? `failed: ${record.reason}`
        : `${metric.figure} ${metric.figure in record.figures ? valueText(record.figures[metric.figure], metric.format) : (metric.absent ?? '–')}`;
    const rest = left !== undefined && left > 0 ? `, about ${brief(formatDuration(left))} left` : '';
    this.terminal.err(`${record.arm}, seed ${record.seed}: ${outcome} (${ended} of ${total}${rest})\n`);
  };

  end(): void {
    this.line.end();
  }
}
