import { basename } from 'node:path';
import { Command, Option } from 'commander';
import type { CompareReport } from '../compare/report.js';
import { comparePage } from '../report/pages/compare.js';
import { compareText } from '../report/terminal/compare.js';
import type { Provider } from '../runtime/options.js';
import {
  type CommonOptions,
  commandLine,
  examples,
  nonNegativeInteger,
  positiveInteger,
  threadCount,
  withCommonOptions,
} from './arguments.js';
import { loadEvaluation } from './evaluation.js';
import { measureLoads } from './footprint.js';
import { adviseOnInputs, checkFiles, filesRead, inputsOf, type JobFlags, withInputOptions } from './job.js';
import { locateModel, type ModelFlags, withModelOptions } from './model-source.js';
import { ProgressLine } from './progress.js';
import { checkTargets, writeText } from './targets.js';
import type { Terminal } from './terminal.js';

interface CompareFlags extends CommonOptions, JobFlags, ModelFlags {
  provider: Provider;
  layers: number | false;
  time: boolean;
  html?: string;
  force?: boolean;
}

/** `whittle compare A.onnx B.onnx …`: models that any tool made, side by side. */
export function compareVerb(terminal: Terminal): Command {
  const command = new Command('compare')
    .summary('hold models of any tool against each other')
    .description(
      'Runs models on the same inputs and shows what sets them apart: bytes, memory, time to load and to run, outputs, your own score, and the values inside that have the same names. The first model is the yardstick.',
    )
    .argument(
      '<models...>',
      'two or more: ONNX files, folders as Hugging Face lays them out, or hf:owner/name[@revision][:file]',
    );
  withInputOptions(command)
    .option('--eval <file>', 'a .ts or .js module whose function scores a model')
    .addOption(
      new Option('--seed <integer>', 'seed of made-up inputs').argParser(nonNegativeInteger).default(0),
    )
    .option('--threads <count>', 'threads of ONNX Runtime', threadCount)
    .addOption(
      new Option('--provider <name>', 'where to run')
        .choices(['cpu', 'webgpu', 'cuda', 'coreml', 'dml'])
        .default('cpu'),
    )
    .addOption(
      new Option('--layers <count>', 'on how many inputs to compare the values inside')
        .argParser(positiveInteger)
        .default(4),
    )
    .option('--no-layers', 'do not look inside')
    .option('--no-time', 'measure no times and no memory')
    .option('--html <file>', 'write a page')
    .option('--force', 'replace the page if it exists');
  return withCommonOptions(withModelOptions(command))
    .addHelpText(
      'after',
      examples([
        ['What another tool made of a model:', 'whittle compare model.onnx quantized.onnx'],
        [
          'On real inputs, with a score of your own, as a page:',
          'whittle compare model.onnx a.onnx b.onnx --calibration images --eval score.ts --html compare.html',
        ],
        [
          'Two variants on the hub:',
          'whittle compare hf:owner/name hf:owner/name:onnx/model_quantized.onnx --calibration lines.txt',
        ],
      ]),
    )
    .action((models: string[], flags: CompareFlags) => {
      if (models.length < 2) command.error('error: a comparison needs two models or more');
      return compare(models, flags, terminal, command.parent?.args ?? []);
    });
}

async function compare(
  models: readonly string[],
  flags: CompareFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  await checkFiles(flags);
  const sources = [];
  for (const model of models) sources.push(await locateModel(model, flags, terminal));
  const paths = sources.map(({ path }) => path);
  const inputs = sources.flatMap(source => filesRead(source, flags));
  await checkTargets([flags.html], { inputs, force: flags.force === true });
  // Loaded when needed, so that --help does not wait for them.
  const [{ compareModels, openContender }, { refuseOwnSource }] = await Promise.all([
    import('../compare/index.node.js'),
    import('../onnx/save.node.js'),
  ]);
  const names = shortNames(models);
  const contenders = [];
  for (const [i, path] of paths.entries()) contenders.push(await openContender(path, names[i]!));
  if (flags.html !== undefined) for (const { model } of contenders) refuseOwnSource(model, flags.html);
  const progress = new ProgressLine(terminal);
  const measured = await compareModels(contenders, {
    inputs: await inputsOf(contenders[0]!.model, flags, sources[0]),
    seed: flags.seed,
    provider: flags.provider,
    timing: flags.time,
    driftSamples: flags.layers === false ? 0 : flags.layers,
    ...(flags.time && { measureLoad: async samples => (await measureLoads(paths, samples)) ?? [] }),
    ...(flags.samples !== undefined && { samples: flags.samples }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.eval !== undefined && { evaluate: await loadEvaluation(flags.eval) }),
    signal: terminal.signal,
    onProgress: progress.update,
  })
    .catch(adviseOnInputs(flags))
    .finally(() => progress.end());
  const report: CompareReport = { ...measured, command: commandLine(args) };
  if (flags.html !== undefined) await writeText(flags.html, comparePage(report));
  if (flags.json) return terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  terminal.out(`${compareText(report, terminal)}\n`);
  if (flags.html !== undefined) terminal.out(`\nPage: ${flags.html}\n`);
}

/** File names where they tell the models apart, else the arguments as they were given. */
function shortNames(models: readonly string[]): string[] {
  const names = models.map(model => (model.startsWith('hf:') ? model : basename(model)));
  return new Set(names).size === names.length ? names : [...models];
}
