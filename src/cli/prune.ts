import { Command, Option } from 'commander';
import type { PruneOptions } from '../prune/options.js';
import type { PruneReport } from '../prune/report.js';
import type { Importance } from '../prune/study.js';
import { prunePage } from '../report/pages/prune.js';
import { pruneText } from '../report/terminal/prune.js';
import {
  type CommonOptions,
  commandLine,
  examples,
  fraction,
  positiveInteger,
  withCommonOptions,
} from './arguments.js';
import { BudgetMissed } from './exit.js';
import {
  adviseOnInputs,
  checkFiles,
  filesRead,
  type JobFlags,
  jobOptions,
  withInputOptions,
  withSelectionOptions,
} from './job.js';
import { locateModel, MODEL_ARGUMENT, type ModelFlags, withModelOptions } from './model-source.js';
import { ProgressLine } from './progress.js';
import { checkTargets, loadBeside, writeText } from './targets.js';
import type { Terminal } from './terminal.js';

interface PruneFlags extends CommonOptions, JobFlags, ModelFlags {
  output?: string;
  flops?: number;
  parameters?: number;
  blocks?: number;
  importance: Importance;
  allocation: 'global' | 'uniform';
  /** `false` for --no-refit. */
  refit: boolean;
  /** `true` without a value. */
  retrain?: true | number;
  round: number;
  approximate?: boolean;
  dryRun?: boolean;
  report?: string;
  force?: boolean;
}

/** `whittle prune MODEL -o OUT`: whole channels, heads, neurons and blocks removed. */
export function pruneVerb(terminal: Terminal): Command {
  const command = new Command('prune')
    .summary('remove whole channels, heads, neurons and blocks')
    .description(
      'Removes what the outputs miss least until a share of the work is left, fits the weights that remain to what their layers said before, and verifies the result in ONNX Runtime on inputs that took no part.',
    )
    .argument('<model>', `${MODEL_ARGUMENT}; it is never changed`)
    .option('-o, --output <file>', 'where the pruned model goes')
    .option('--flops <share>', 'leave this share of the operations, such as 0.7 or 70%', fraction)
    .option('--parameters <share>', 'leave this share of the parameters', fraction)
    .option('--blocks <count>', 'first remove so many whole residual blocks', positiveInteger)
    .addOption(
      new Option(
        '--importance <how>',
        'rank channels by what the layers that read them lose, by the outputs’ derivatives, or by their weights alone',
      )
        .choices(['reconstruction', 'taylor', 'magnitude'])
        .default('reconstruction'),
    )
    .addOption(
      new Option('--allocation <how>', 'most where it costs least, or the same share everywhere')
        .choices(['global', 'uniform'])
        .default('global'),
    )
    .addOption(
      new Option('--round <count>', 'sizes that are left are multiples of this')
        .argParser(positiveInteger)
        .default(8),
    )
    .option('--no-refit', 'leave the weights that remain as they are')
    .option(
      '--retrain [epochs]',
      'then train the whole to give the original’s outputs: passes over the calibration inputs at most (default: 10)',
      positiveInteger,
    )
    .option('--approximate', 'also remove channels over which a normalization takes statistics');
  withInputOptions(command).option('--eval <file>', 'a .ts or .js module whose function scores a model');
  withModelOptions(withSelectionOptions(command))
    .option('--dry-run', 'measure and report, but write no model')
    .option('--report <file>', 'write an HTML page: what went together, and what channels are worth')
    .option('--force', 'replace outputs that exist');
  withCommonOptions(command).addHelpText(
    'after',
    examples([
      [
        'Seven tenths of the work:',
        'whittle prune model.onnx -o small.onnx --flops 0.7 --calibration images',
      ],
      [
        'Half of it, then trained to answer like the original:',
        'whittle prune model.onnx -o small.onnx --flops 50% --retrain --calibration images --samples 256',
      ],
      ['What could go, without doing it:', 'whittle inspect model.onnx --groups --html groups.html'],
      [
        'Two blocks less, and what that costs by your own score:',
        'whittle prune model.onnx --dry-run --blocks 2 --eval score.ts --calibration images',
      ],
    ]),
  );
  return command.action((path: string, flags: PruneFlags) => {
    if (flags.output === undefined && !flags.dryRun) {
      command.error('error: say where the pruned model goes: -o FILE (or --dry-run)');
    }
    if (flags.flops === undefined && flags.parameters === undefined && flags.blocks === undefined) {
      command.error('error: say how much is to be left: --flops 0.7, --parameters 0.7 or --blocks 1');
    }
    return pruneModel(path, flags, terminal, command.parent?.args ?? []);
  });
}

async function pruneModel(
  argument: string,
  flags: PruneFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  await checkFiles(flags);
  const source = await locateModel(argument, flags, terminal);
  const target = flags.dryRun ? undefined : flags.output;
  const targets = [target, flags.report];
  await checkTargets(targets, { inputs: filesRead(source, flags), force: flags.force === true });
  // Loaded when needed, so that --help does not wait for them.
  const [{ saveModel }, { prune }] = await Promise.all([
    import('../onnx/save.node.js'),
    import('../prune/prune.js'),
  ]);
  const { signal } = terminal;
  const model = await loadBeside(source.path, targets);
  const options: PruneOptions = {
    ...(await jobOptions(model, flags, source)),
    importance: flags.importance,
    allocation: flags.allocation,
    refit: flags.refit,
    ...(flags.retrain !== undefined && { retrain: flags.retrain }),
    round: flags.round,
    ...(flags.flops !== undefined && { flops: flags.flops }),
    ...(flags.parameters !== undefined && { parameters: flags.parameters }),
    ...(flags.blocks !== undefined && { blocks: flags.blocks }),
    ...(flags.approximate && { approximate: true }),
  };
  const progress = new ProgressLine(terminal);
  const result = await prune(model, { ...options, signal, onProgress: progress.update })
    .catch(adviseOnInputs(flags))
    .finally(() => progress.end());
  signal.throwIfAborted();
  if (target !== undefined) await saveModel(result.model, target, { signal });
  const report: PruneReport = { ...result.report, command: commandLine(args) };
  if (flags.report !== undefined) await writeText(flags.report, prunePage(report));
  if (flags.json) terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  else {
    terminal.out(`${pruneText(report, terminal)}\n\n`);
    terminal.out(target === undefined ? 'Nothing was written, as asked.\n' : `Model:  ${target}\n`);
    if (flags.report !== undefined) terminal.out(`Report: ${flags.report}\n`);
  }
  if (!report.met) throw new BudgetMissed();
}
