import { Command, Option } from 'commander';
import { signatureOf } from '../compress/inputs.js';
import type { CompressOptions } from '../compress/options.js';
import type { CompressReport } from '../compress/report.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { compressPage } from '../report/pages/compress.js';
import { compressText } from '../report/terminal/compress.js';
import type { Provider } from '../runtime/options.js';
import {
  type CommonOptions,
  commandLine,
  examples,
  fraction,
  nonNegativeInteger,
  positiveInteger,
  repeated,
  withCommonOptions,
} from './arguments.js';
import { loadEvaluation } from './evaluation.js';
import { readImages } from './images.js';
import { ProgressLine } from './progress.js';
import { checkInput, checkTarget, writeText } from './targets.js';
import type { Terminal } from './terminal.js';

const METHODS = ['auto', 'svd', 'quantize', 'svd+quantize'] as const;
const PROVIDERS = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml'] as const;

interface CompressFlags extends CommonOptions {
  output?: string;
  method: (typeof METHODS)[number];
  error: number;
  calibration?: string;
  tokenizer?: string;
  shape?: string[];
  samples?: number;
  eval?: string;
  include?: string[];
  exclude?: string[];
  seed: number;
  threads?: number;
  provider: Provider;
  dryRun?: boolean;
  /** `false` for --no-report. */
  report?: string | false;
  force?: boolean;
}

/** `whittle compress MODEL -o OUT`: a smaller model, and what it cost. */
export function compressVerb(terminal: Terminal): Command {
  const command = withCommonOptions(
    new Command('compress')
      .summary('make a model smaller, and measure what that costs')
      .description(
        'Gives each layer the smallest form that keeps its output, then runs the original and the result in ONNX Runtime on inputs that took no part, and reports what changed.',
      )
      .argument('<model>', 'an ONNX file; it is never changed')
      .option('-o, --output <file>', 'where the compressed model goes')
      .addOption(
        new Option('--method <method>', 'what to try for each layer').choices(METHODS).default('auto'),
      )
      .option(
        '--error <number>',
        'the most that a layer’s output may be off, relative to its size',
        fraction,
        0.05,
      )
      .option(
        '--calibration <path>',
        'inputs: a folder or file of .npy, .npz, images or text lines, or a .ts module (default: made up)',
      )
      .option('--tokenizer <file>', 'tokenizer.json for text inputs')
      .option(
        '--shape <name=sizes>',
        'sizes of an input with open dimensions, such as x=1,3,48,320; repeatable',
        repeated,
      )
      .option(
        '--samples <count>',
        'how many inputs to calibrate with, and how many others to verify with, at most',
        positiveInteger,
      )
      .option('--eval <file>', 'a .ts or .js module whose function scores a model; run before and after')
      .option('--include <pattern>', 'only layers of this name (* stands for anything); repeatable', repeated)
      .option('--exclude <pattern>', 'not the layers of this name; repeatable', repeated)
      .option('--seed <integer>', 'seed of everything random', nonNegativeInteger, 0)
      .option('--threads <count>', 'threads of ONNX Runtime', positiveInteger)
      .addOption(
        new Option('--provider <name>', 'where to verify and time').choices(PROVIDERS).default('cpu'),
      )
      .option('--dry-run', 'measure and report, but write nothing')
      .option('--report <file>', 'where the HTML report goes (default: the output’s name with .html)')
      .option('--no-report', 'write no HTML report')
      .option('--force', 'replace outputs that exist'),
  ).addHelpText(
    'after',
    examples([
      ['With made-up inputs, to see that it works:', 'whittle compress model.onnx -o small.onnx'],
      [
        'With your inputs and your own score:',
        'whittle compress model.onnx -o small.onnx --calibration images --eval score.ts',
      ],
      [
        'Only quantize, and leave the last layer alone:',
        "whittle compress model.onnx -o small.onnx --method quantize --exclude 'head*'",
      ],
      ['What would come out:', 'whittle compress model.onnx --dry-run'],
    ]),
  );
  return command.action((path: string, flags: CompressFlags) => {
    if (flags.output === undefined && !flags.dryRun) {
      command.error('error: say where the compressed model goes: -o FILE (or --dry-run)');
    }
    return compressModel(path, flags, terminal, command.parent?.args ?? []);
  });
}

async function compressModel(
  path: string,
  flags: CompressFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  if (flags.eval !== undefined) await checkInput(flags.eval);
  const targets = await targetsOf(path, flags);
  // Loaded when needed, so that --help does not wait for them.
  const [{ loadModel }, { saveModel }, { compress }] = await Promise.all([
    import('../onnx/load.node.js'),
    import('../onnx/save.node.js'),
    import('../compress/compress.js'),
  ]);
  const { signal } = terminal;
  const model = await loadModel(path);
  const options = await engineOptions(model, flags);
  const progress = new ProgressLine(terminal);
  const result = await compress(model, { ...options, signal, onProgress: progress.update }).finally(() =>
    progress.end(),
  );
  signal.throwIfAborted();
  const report: CompressReport = { ...result.report, command: commandLine(args) };
  if (targets.model !== undefined) await saveModel(result.model, targets.model, { signal });
  if (targets.report !== undefined) {
    await writeText(targets.report, compressPage(report, { images: await readImages(report.worst) }));
  }
  if (flags.json) return terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  terminal.out(`${compressText(report, terminal)}\n\n`);
  const written = [
    targets.model !== undefined && `Model:  ${targets.model}\n`,
    targets.report !== undefined && `Report: ${targets.report}\n`,
  ].filter(Boolean);
  terminal.out(written.join('') || 'Nothing was written, as asked.\n');
}

/** What the flags mean to the engine; opens the inputs and loads the evaluation. */
async function engineOptions(model: Model, flags: CompressFlags): Promise<CompressOptions> {
  const { openInputs, parseShapes, vocabularySize } = await import('../data/index.node.js');
  const signature = signatureOf(model);
  const samples = flags.samples;
  const inputs = await openInputs(flags.calibration, signature, {
    ...(flags.tokenizer !== undefined && { tokenizer: flags.tokenizer }),
    generated: {
      ...parseShapes(flags.shape ?? [], signature),
      seed: flags.seed,
      ...(samples !== undefined && { count: 2 * samples }),
      vocabulary: Object.fromEntries(signature.map(({ name }) => [name, vocabularySize(model.graph, name)])),
    },
  });
  return {
    method: flags.method,
    error: flags.error,
    seed: flags.seed,
    provider: flags.provider,
    inputs,
    ...(samples !== undefined && { samples: { calibration: samples, verification: samples } }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.include !== undefined && { include: flags.include }),
    ...(flags.exclude !== undefined && { exclude: flags.exclude }),
    ...(flags.eval !== undefined && { evaluate: await loadEvaluation(flags.eval) }),
  };
}

/** The files that will be written. @throws WhittleError where one of them cannot or must not be */
async function targetsOf(path: string, flags: CompressFlags): Promise<{ model?: string; report?: string }> {
  const model = flags.dryRun ? undefined : flags.output;
  const page =
    typeof flags.report === 'string' ? flags.report : model === undefined ? undefined : `${model}.html`;
  const report = flags.report === false || flags.dryRun ? undefined : page;
  const inputs = [path, ...(flags.eval === undefined ? [] : [flags.eval])];
  if (model !== undefined && model === report) {
    throw new WhittleError('model and report would be the same file', {
      file: model,
      hint: 'Give the report another name',
    });
  }
  for (const target of [model, report]) {
    if (target !== undefined) await checkTarget(target, { inputs, force: flags.force === true });
  }
  return { ...(model === undefined ? {} : { model }), ...(report === undefined ? {} : { report }) };
}
