import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { WhittleError } from '../graph/errors.js';
import { brief, formatDuration } from '../report/format.js';
import type { LogRecord, TrainResult } from '../train/index.js';
import { type CommonOptions, examples, repeated, threadCount, withCommonOptions } from './arguments.js';
import { Stopped } from './errors.js';
import { ProgressLine } from './progress.js';
import { settingsText } from './settings.js';
import { makeFolder } from './targets.js';
import type { Terminal } from './terminal.js';

interface TrainFlags extends CommonOptions {
  out?: string;
  resume?: boolean;
  method?: string[];
  set?: string[];
  settings?: boolean;
  threads?: number;
}

/** `whittle train CONFIG`: trains what a configuration file describes. */
export function trainVerb(terminal: Terminal): Command {
  return withCommonOptions(
    new Command('train')
      .summary('train a network from a configuration file')
      .description(
        'Trains what a TypeScript file describes with defineTraining(…). Checkpoints, logs (JSON lines, CSV, TensorBoard) and the trained model go into one folder. A training that was stopped or killed goes on with --resume as if it had not been.',
      )
      .argument('<config>', 'a .ts or .js file whose default export is defineTraining(…)')
      .option('--out <folder>', 'where everything goes (default: runs/NAME-OF-THE-FILE)')
      .option('--resume', 'go on from the last checkpoint, if there is one')
      .option('--set <key=value>', 'change a setting of the file; may be repeated', repeated)
      .option(
        '--method <name:settings>',
        'train small by this method, besides those of the file; may be repeated (see whittle methods)',
        repeated,
      )
      .option('--settings', 'list the settings of the file and stop')
      .option('--threads <count>', 'threads inside an operator (default: one per core)', threadCount),
  )
    .addHelpText(
      'after',
      examples([
        ['Train, and go on after a power cut with the same command:', 'whittle train config.ts --resume'],
        ['What can be set:', 'whittle train config.ts --settings'],
        [
          'A smaller network at a lower rate:',
          'whittle train config.ts --set depth=8 --set learningRate=0.05',
        ],
        [
          'Sparse, with a tenth of the weights:',
          'whittle train config.ts --method rigl:density=0.1,interval=100',
        ],
      ]),
    )
    .action((path: string, flags: TrainFlags) => runTraining(path, flags, terminal));
}

async function runTraining(path: string, flags: TrainFlags, terminal: Terminal): Promise<void> {
  const [{ importFrom }, nodes, { saveModel }, { combine, readMethod }] = await Promise.all([
    import('../data/modules.node.js'),
    import('../train/index.node.js'),
    import('../onnx/save.node.js'),
    import('../methods/index.js'),
  ]);
  const config = nodes.asTrainingConfig(await importFrom(path, ['default']), path);
  if (flags.settings) return terminal.out(settingsText(config.settings, flags));
  const out = flags.out ?? join('runs', basename(path).replace(/\.[cm]?[jt]s$/, ''));
  const checkpoints = join(out, 'checkpoints');
  if (!flags.resume && existsSync(checkpoints)) {
    throw new WhittleError('this folder holds a training already', {
      file: out,
      hint: 'Go on with --resume, or give another --out',
    });
  }
  const { training, values } = await nodes.configure(config, flags.set ?? []);
  const { checkpointEvery, ...options } = training;
  const chosen = (flags.method ?? []).map(text => readMethod(text));
  const methods = nodes.inOrder([...(options.methods ?? []), ...(await combine(chosen))]);
  // Before the folder is made.
  nodes.checkMethods(methods, options.network);
  await makeFolder(out);
  const progress = new ProgressLine(terminal);
  const result = await nodes
    .train({
      ...options,
      methods,
      session: { ...options.session, ...(flags.threads !== undefined && { threads: flags.threads }) },
      checkpoints: {
        store: new nodes.CheckpointFolder(checkpoints),
        resume: flags.resume === true,
        settings: { ...values, ...(flags.method && { '--method': flags.method }) },
        ...(checkpointEvery !== undefined && { every: checkpointEvery }),
      },
      logs: [
        nodes.jsonLines(join(out, 'log.jsonl')),
        nodes.csvLog(join(out, 'log.csv')),
        nodes.tensorBoard(join(out, 'tensorboard')),
        evaluationLines(terminal, progress),
      ],
      onProgress: progress.update,
      signal: terminal.signal,
    })
    .finally(() => progress.end());
  if (result.ended === 'aborted') {
    throw new Stopped(
      `Stopped after update ${result.updates}; saved as ${result.checkpoint}. Go on with --resume.`,
    );
  }
  const model = join(out, 'model.onnx');
  await saveModel(nodes.exportTrained(result.network, methods), model);
  const { network: _, ...summary } = result;
  if (flags.json) return terminal.out(`${JSON.stringify({ ...summary, model }, null, 2)}\n`);
  terminal.out(summaryText(result, model));
}

/** Prints each evaluation on a line of its own above the progress. */
function evaluationLines(terminal: Terminal, progress: ProgressLine) {
  return {
    open: () => {},
    write({ kind, update, epoch, values }: LogRecord) {
      if (kind !== 'evaluation') return;
      progress.end();
      terminal.err(`epoch ${epoch.toFixed(2)}, update ${update}: ${figures(values)}\n`);
    },
    flush: () => {},
    close: () => {},
  };
}

const figures = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`)
    .join(', ');

function summaryText({ updates, evaluation, best, seconds, ended }: TrainResult, model: string): string {
  const lines = [
    `Trained ${updates} updates in ${brief(formatDuration(1000 * seconds))}${ended === 'early' ? ', stopped early' : ''}.`,
    evaluation && `Last evaluation: ${figures(evaluation)}.`,
    best && `Best ${best.metric}: ${Number(best.value.toPrecision(5))}, after update ${best.update}.`,
    `Model: ${model}`,
  ];
  return `${lines.filter(Boolean).join('\n')}\n`;
}
