import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseSize } from '../compress/budget.js';
import { signatureOf } from '../compress/inputs.js';
import type { CompressOptions } from '../compress/options.js';
import type { InputSource } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { RUN_FAILED } from '../runtime/failure.js';
import { nonNegativeInteger, positiveInteger, repeated, threadCount } from './arguments.js';
import { defaultCache } from './cache.js';
import { loadEvaluation } from './evaluation.js';
import type { ModelSource } from './model-source.js';
import { checkInput } from './targets.js';

/** Options of every verb that runs a model on inputs. */
export interface JobFlags {
  calibration?: string;
  tokenizer?: string;
  maxLength?: number;
  image?: string;
  shape?: string[];
  samples?: number;
  eval?: string;
  include?: string[];
  exclude?: string[];
  seed: number;
  threads?: number;
  /** A folder; `false` for --no-cache. */
  cache?: string | false;
  cacheLimit?: number;
}

export const withInputOptions = (command: Command): Command =>
  command
    .option(
      '--calibration <path>',
      'inputs: a folder or file of .npy, .npz, images, .wav or text lines, or a .ts module (default: made up)',
    )
    .option('--tokenizer <file>', 'tokenizer.json for text inputs (default: the model folder’s own)')
    .option('--max-length <tokens>', 'cut longer texts to so many tokens', positiveInteger)
    .option(
      '--image <key=value,…>',
      'how images become inputs, such as channels=bgr,mean=0.5,std=0.5,height=48,fit=pad',
    )
    .addOption(
      new Option(
        '--shape <name=sizes>',
        'sizes of a made-up input with open dimensions, such as x=1,3,48,320; repeatable',
      )
        .argParser(repeated)
        .conflicts('calibration'),
    )
    .option(
      '--samples <count>',
      'how many inputs to calibrate with, and how many others to verify with, at most',
      positiveInteger,
    );

export const withSelectionOptions = (command: Command): Command =>
  command
    .option('--include <pattern>', 'only layers of this name (* stands for anything); repeatable', repeated)
    .option('--exclude <pattern>', 'not the layers of this name; repeatable', repeated)
    .addOption(
      new Option('--seed <integer>', 'seed of everything random').argParser(nonNegativeInteger).default(0),
    )
    .option('--threads <count>', 'threads of ONNX Runtime', threadCount)
    .option(
      '--cache <folder>',
      'where finished work is kept, so that another budget starts at once (default: the user’s cache folder)',
    )
    .option('--no-cache', 'keep nothing')
    .option(
      '--cache-limit <size>',
      'how much the cache may hold, such as 500MB; what was not used for longest goes first (default: 4GB)',
      bytes,
    );

/** A size with its unit, in bytes. */
function bytes(text: string): number {
  try {
    return parseSize(text, Number.NaN);
  } catch {
    throw new InvalidArgumentError('It must be a size, such as 500MB.');
  }
}

/** The tokenizer that was given, or the model folder's own. */
export const tokenizerOf = (
  { tokenizer }: Pick<JobFlags, 'tokenizer'>,
  source?: Pick<ModelSource, 'folder'>,
): string | undefined => tokenizer ?? source?.folder?.tokenizer;

/** The files that a job reads, none of which may be replaced. */
export const filesRead = (
  { path }: Pick<ModelSource, 'path'>,
  { calibration, tokenizer, eval: evaluation }: Pick<JobFlags, 'calibration' | 'tokenizer' | 'eval'>,
): (string | undefined)[] => [path, calibration, tokenizer, evaluation];

/** Checks what the flags name before anything else is done. @throws WhittleError where it is not there */
export async function checkFiles(flags: Omit<JobFlags, 'seed'>): Promise<void> {
  const { eval: evaluation, tokenizer } = flags;
  if (evaluation !== undefined) await checkInput(evaluation);
  if (tokenizer !== undefined) {
    await checkInput(tokenizer.endsWith('.json') ? tokenizer : join(tokenizer, 'tokenizer.json'));
  }
  if (flags.calibration !== undefined) return;
  const unused = flags.image !== undefined ? '--image' : flags.maxLength !== undefined && '--max-length';
  if (unused) {
    throw new WhittleError(`${unused} says how inputs are read, and there are none`, {
      hint: 'Give some with --calibration',
    });
  }
}

/** Where a model does not run on made-up inputs: how to give it others. */
export const adviseOnInputs =
  ({ calibration }: Pick<JobFlags, 'calibration'>) =>
  (error: unknown): never => {
    if (
      calibration !== undefined ||
      !(error instanceof WhittleError) ||
      !error.message.startsWith(RUN_FAILED)
    ) {
      throw error;
    }
    throw new WhittleError(error.message, {
      hint: 'Its inputs were made up: give real ones with --calibration, or sizes that it takes with --shape',
      cause: error.cause,
    });
  };

/** What the flags mean to the engine, over what the model's folder says; opens the inputs. */
export async function inputsOf(
  model: Model,
  flags: JobFlags,
  source?: Pick<ModelSource, 'folder'>,
): Promise<InputSource> {
  const { openInputs, parseImageOptions, parseShapes, vocabularySize } = await import(
    '../data/index.node.js'
  );
  const signature = signatureOf(model);
  const { samples } = flags;
  const { image, samplingRate, normalizeAudio } = source?.folder?.preprocessing ?? {};
  const tokenizer = tokenizerOf(flags, source);
  const vocabulary = Object.fromEntries(
    signature.map(({ name }) => [name, vocabularySize(model.graph, name)]),
  );
  return openInputs(flags.calibration, signature, {
    ...(tokenizer !== undefined && { tokenizer }),
    ...(flags.maxLength !== undefined && { maxLength: flags.maxLength }),
    image: { ...image, ...(flags.image !== undefined && parseImageOptions(flags.image)) },
    audio: {
      ...(samplingRate !== undefined && { samplingRate }),
      ...(normalizeAudio !== undefined && { normalize: normalizeAudio }),
    },
    vocabulary,
    generated: {
      ...parseShapes(flags.shape ?? [], signature),
      seed: flags.seed,
      ...(samples !== undefined && { count: 2 * samples }),
      vocabulary,
    },
  });
}

/** What the flags mean to the engine; opens the inputs and loads the evaluation. */
export async function jobOptions(
  model: Model,
  flags: JobFlags,
  source?: Pick<ModelSource, 'folder'>,
): Promise<CompressOptions> {
  const { samples } = flags;
  return {
    inputs: await inputsOf(model, flags, source),
    seed: flags.seed,
    ...(flags.cache !== false && { cache: flags.cache ?? defaultCache() }),
    ...(flags.cacheLimit !== undefined && { cacheLimit: flags.cacheLimit }),
    ...(samples !== undefined && { samples: { calibration: samples, verification: samples } }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.include !== undefined && { include: flags.include }),
    ...(flags.exclude !== undefined && { exclude: flags.exclude }),
    ...(flags.eval !== undefined && { evaluate: await loadEvaluation(flags.eval) }),
  };
}
