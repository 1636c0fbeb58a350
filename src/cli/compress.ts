import { Command, Option } from 'commander';
import { parseLatency, parseQuality, parseSize } from '../compress/budget.js';
import type { Goal } from '../compress/method.js';
import {
  type CompressOptions,
  DEFAULT_ERROR,
  DEFAULT_QUALITY,
  GOALS,
  RECOVERIES,
  type Recovery,
} from '../compress/options.js';
import type { CompressReport } from '../compress/report.js';
import type { Model } from '../graph/model.js';
import { HUB_DTYPES, type HubDtype } from '../hub/dtypes.js';
import { compressPage } from '../report/pages/compress.js';
import { frontFigure } from '../report/pages/front-figure.js';
import { compressText } from '../report/terminal/compress.js';
import type { Provider } from '../runtime/options.js';
import {
  type CommonOptions,
  commandLine,
  examples,
  fraction,
  list,
  readBy,
  repeated,
  withCommonOptions,
} from './arguments.js';
import { type CompressTargets, compressTargets, DEFAULT_DTYPE } from './compress-targets.js';
import { BudgetMissed } from './exit.js';
import { measureLoad } from './footprint.js';
import { readImages } from './images.js';
import {
  adviseOnInputs,
  checkFiles,
  type JobFlags,
  jobOptions,
  tokenizerOf,
  withInputOptions,
  withSelectionOptions,
} from './job.js';
import {
  locateModel,
  MODEL_ARGUMENT,
  type ModelFlags,
  type ModelSource,
  withModelOptions,
} from './model-source.js';
import { ProgressLine } from './progress.js';
import { loadBeside, writeText } from './targets.js';
import type { Terminal } from './terminal.js';
import { type Decode, viewInputs } from './views.js';

const METHODS = [
  'auto',
  'svd',
  'quantize',
  'svd+quantize',
  'lowrank',
  'spatial',
  'residual',
  'cluster',
  'sparse',
  'kronecker',
  'laser',
] as const;
const PROVIDERS = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml'] as const;

interface CompressFlags extends CommonOptions, JobFlags, ModelFlags {
  output?: string;
  method: (typeof METHODS)[number];
  onlyMethods?: string[];
  maxSize?: string;
  minQuality?: string[];
  maxLatency?: string;
  goal?: Goal;
  pareto?: boolean;
  /** `false` for --no-prune. */
  prune?: readonly number[] | 'auto' | false;
  error?: number;
  rankSearch?: 'closed' | 'forward';
  /** `true` without a value. */
  recover?: true | Recovery;
  provider: Provider;
  dtype?: HubDtype;
  dryRun?: boolean;
  figure?: string;
  /** `false` for --no-report. */
  report?: string | false;
  force?: boolean;
}

/** `whittle compress MODEL -o OUT`: a smaller model, and what it cost. */
export function compressVerb(terminal: Terminal): Command {
  const command = new Command('compress')
    .summary('make a model smaller, and measure what that costs')
    .description(
      `Finds the best file that any mix of methods can make for a budget, and verifies it in ONNX Runtime on inputs that took no part. Without a budget: the smallest whose layers keep --error ${DEFAULT_ERROR} and whose outputs keep ${DEFAULT_QUALITY}.`,
    )
    .argument('<model>', `${MODEL_ARGUMENT}; it is never changed`)
    .option(
      '-o, --output <path>',
      'where the compressed model goes: a file; of a folder or a model on the hub, a folder that transformers.js loads',
    )
    .option('--max-size <size>', 'budget: largest file, such as 6MB or 25%', readBy(parseSize))
    .option(
      '--min-quality <bound>',
      'budget: cosine=0.995, agree=98% (same top entry), error=0.05, or a score of --eval: score.cer<=+0.5 counts from the original, score.exact>=78 does not; repeatable',
      (text: string, earlier?: readonly string[]) => repeated(readBy(parseQuality)(text), earlier),
    )
    .option(
      '--max-latency <share>',
      'budget: longest time of a run against the original, such as 0.6x',
      readBy(parseLatency),
    )
    .addOption(
      new Option('--goal <goal>', 'the form of the weights: smallest file, least memory, fastest').choices(
        GOALS,
      ),
    )
    .option(
      '--prune <shares>',
      'first remove whole channels until this share of the operations is left; of several, such as 1,0.9,0.8 or auto, the best is kept; auto with --max-latency removes whole blocks too until the time holds',
      shares,
    )
    .option('--no-prune', 'keep every channel and block, also where a bound on latency then does not hold')
    .option('--pareto', 'measure the whole front of sizes; without a budget, take its knee')
    .addOption(new Option('--method <method>', 'what to try for each layer').choices(METHODS).default('auto'))
    .option('--only-methods <names>', 'only some of these, or others by name: quantize,cluster', list)
    .option(
      '--error <number>',
      `the most that a layer’s own output may be off, relative to its spread (default: ${DEFAULT_ERROR} without a budget, none with one)`,
      fraction,
    )
    .addOption(
      new Option(
        '--rank-search <how>',
        'a layer’s error by the closed form, or by running it (slow: to compare)',
      )
        .choices(['closed', 'forward'])
        .default('closed'),
    )
    .addOption(
      new Option(
        '--recover [how]',
        'win back quality at the same size: each layer in closed form (layers), or also by training what is in floats to give the original’s outputs (distill: minutes)',
      ).choices(RECOVERIES),
    );
  withInputOptions(command).option(
    '--eval <file>',
    'a .ts or .js module whose function scores a model; run before and after',
  );
  withModelOptions(withSelectionOptions(command))
    .addOption(
      new Option(
        '--dtype <name>',
        'for a folder: what one asks transformers.js for to get this file (default: q8)',
      ).choices(HUB_DTYPES),
    )
    .addOption(new Option('--provider <name>', 'where to verify and time').choices(PROVIDERS).default('cpu'))
    .option('--dry-run', 'measure and report, but write no model')
    .option('--report <file>', 'where the HTML report goes (default: the output’s name with .html)')
    .option('--no-report', 'write no HTML report')
    .option('--figure <file>', 'with --pareto: the front as an SVG picture')
    .option('--force', 'replace outputs that exist');
  withCommonOptions(command).addHelpText(
    'after',
    `\nExit codes: 0, 1 for errors, 2 for a command line that makes no sense, 3 where the budget does not hold (the nearest file is written, and what it misses is said).\n${examples(
      [
        ['With made-up inputs, to see that it works:', 'whittle compress model.onnx -o small.onnx'],
        [
          'The best file of a quarter of the size:',
          'whittle compress model.onnx -o small.onnx --max-size 25% --calibration images',
        ],
        [
          'The smallest file that costs at most half a point of your own score:',
          "whittle compress model.onnx -o small.onnx --min-quality 'score.exact>=-0.5' --eval score.ts --calibration images",
        ],
        [
          'All sizes at once, to choose one:',
          'whittle compress model.onnx --dry-run --pareto --report front.html --calibration images',
        ],
        [
          'A model on the hub, as a folder for transformers.js:',
          'whittle compress hf:owner/name -o small --calibration lines.txt',
        ],
        [
          'Only quantize, and leave the last layer alone:',
          "whittle compress model.onnx -o small.onnx --method quantize --exclude 'head*'",
        ],
        [
          'A fifth of the size, then trained to answer like the original:',
          'whittle compress model.onnx -o small.onnx --max-size 20% --recover distill --calibration images',
        ],
      ],
    )}`,
  );
  return command.action((argument: string, flags: CompressFlags) => {
    if (flags.output === undefined && !flags.dryRun) {
      command.error('error: say where the compressed model goes: -o FILE (or --dry-run)');
    }
    if (flags.figure !== undefined && !flags.pareto) {
      command.error('error: --figure draws the front of sizes: it needs --pareto');
    }
    return compressModel(argument, flags, terminal, command.parent?.args ?? []);
  });
}

/** One share or several, or `auto`; 1 among several is the whole model. */
const shares = (text: string): readonly number[] | 'auto' =>
  text === 'auto' ? text : list(text).map(share => (share === '1' || share === '100%' ? 1 : fraction(share)));

async function compressModel(
  argument: string,
  flags: CompressFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  await checkFiles(flags);
  const source = await locateModel(argument, flags, terminal);
  const { path } = source;
  const targets = await compressTargets(source, flags);
  // Loaded when needed, so that --help does not wait for it.
  const { compress } = await import('../compress/compress.js');
  const { signal } = terminal;
  const model = await loadBeside(path, [targets.model, targets.report, targets.figure]);
  const options: CompressOptions = {
    ...(await jobOptions(model, flags, source)),
    ...budgetOptions(flags),
    spectra: targets.report !== undefined || flags.json === true,
    signal,
  };
  const progress = new ProgressLine(terminal);
  const result = await compress(model, { ...options, onProgress: progress.update })
    .catch(adviseOnInputs(flags))
    .finally(() => progress.end());
  signal.throwIfAborted();
  await save(result.model, targets, source, flags, signal);
  const load = targets.model && (await measureLoad(path, targets.model, result.heldOut[0]!));
  const report: CompressReport = {
    ...result.report,
    command: commandLine(args),
    ...(load && { load }),
  };
  if (targets.report !== undefined) {
    const views = {
      images: await readImages(report.worst),
      samples: await viewInputs(result.heldOut, report, await decoderOf(tokenizerOf(flags, source))),
    };
    await writeText(targets.report, compressPage(report, views));
  }
  const figure = targets.figure !== undefined && frontFigure(report);
  if (figure) await writeText(targets.figure, figure);
  if (flags.json) terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  else {
    terminal.out(`${compressText(report, terminal)}\n\n`);
    const written = [
      targets.model !== undefined && `Model:  ${targets.model}\n`,
      targets.report !== undefined && `Report: ${targets.report}\n`,
      figure && `Figure: ${targets.figure}\n`,
    ].filter(Boolean);
    terminal.out(written.join('') || 'Nothing was written, as asked.\n');
  }
  if (report.budget.some(({ held }) => !held)) throw new BudgetMissed();
}

async function save(
  model: Model,
  targets: CompressTargets,
  { folder }: ModelSource,
  { dtype = DEFAULT_DTYPE, force }: CompressFlags,
  signal: AbortSignal,
): Promise<void> {
  if (targets.folder !== undefined && folder) {
    const { saveModelFolder } = await import('../hub/save-folder.node.js');
    await saveModelFolder(model, folder, targets.folder, { dtype, force: force === true, signal });
  } else if (targets.model !== undefined) {
    const { saveModel } = await import('../onnx/save.node.js');
    await saveModel(model, targets.model, { signal });
  }
}

async function decoderOf(tokenizer: string | undefined): Promise<Decode | undefined> {
  if (tokenizer === undefined) return undefined;
  const { readTokenizer } = await import('../data/index.node.js');
  const { decode } = await readTokenizer(tokenizer);
  return decode;
}

function budgetOptions(flags: CompressFlags): CompressOptions {
  const {
    method,
    onlyMethods,
    maxSize,
    minQuality,
    maxLatency,
    goal,
    pareto,
    error,
    rankSearch,
    recover,
    provider,
  } = flags;
  return {
    method,
    provider,
    ...(onlyMethods !== undefined && { onlyMethods }),
    ...(maxSize !== undefined && { maxSize }),
    ...(minQuality !== undefined && { minQuality }),
    ...(maxLatency !== undefined && { maxLatency }),
    ...(goal !== undefined && { goal }),
    ...(pareto !== undefined && { pareto }),
    ...(flags.prune !== undefined && { prune: flags.prune }),
    ...(error !== undefined && { error }),
    ...(rankSearch !== undefined && { rankSearch }),
    ...(recover !== undefined && { recover }),
  };
}
