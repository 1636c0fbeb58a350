import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { EvalFunction } from './evaluation.js';
import { checkSample } from './fit.js';
import { type InputSource, indexedSource, type Sample, type Signature } from './sample.js';
import { importUserModule } from './user-modules.node.js';

export const MODULE_EXTENSIONS: readonly string[] = ['.ts', '.mts', '.js', '.mjs'];

/** Runs a user's own TypeScript or JavaScript file and returns one of its exports, the first that is there. */
export async function importFrom(file: string, names: readonly string[]): Promise<unknown> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) throw new WhittleError('there is no such file', { file, hint: 'Check the path' });
  if (!found.isFile() || !/\.[cm]?[jt]s$/.test(file)) {
    throw new WhittleError(`this is ${found.isFile() ? 'no TypeScript or JavaScript' : 'a folder'}`, {
      file,
      hint: 'Give a .ts or .js file',
    });
  }
  let exports: Record<string, unknown>;
  try {
    exports = await importUserModule(resolve(file));
  } catch (cause) {
    // The rest of such a message is about files of the loader.
    const [reason] = (cause as Error).message.split('\nRequire stack:');
    throw new WhittleError(`the file cannot be run: ${reason}`, { file, cause });
  }
  const name = names.find(key => exports[key] !== undefined);
  if (name === undefined)
    throw new WhittleError(`the file has no export ${names.map(n => `"${n}"`).join(' or ')}`, { file });
  return exports[name];
}

/**
 * Loads the evaluation of `--eval FILE.ts`: the default export, or the export `evaluate`.
 * @throws WhittleError naming the file where it fails to run or exports no function
 */
export async function loadEvalFunction(file: string): Promise<EvalFunction> {
  const found = await importFrom(file, ['default', 'evaluate']);
  if (typeof found !== 'function') {
    throw new WhittleError('the evaluation is not a function', {
      file,
      hint: 'Export default async function evaluate(runner, context) { … }',
    });
  }
  return found as EvalFunction;
}

/**
 * Loads inputs that a user's own file makes: its default export (or `inputs`) is an `InputSource`, an array of samples,
 * or a function of the model's signature that returns one of these. Every sample is checked against the signature.
 * @throws WhittleError naming the file where it is something else
 */
export async function moduleInputs(file: string, signature: Signature): Promise<InputSource> {
  const found = await importFrom(file, ['default', 'inputs']);
  const made: unknown = typeof found === 'function' ? await blaming(file, () => found(signature)) : found;
  const check = (sample: Sample) => checkSample(sample, signature, file);
  if (Array.isArray(made)) {
    const about = { description: `${made.length} samples from ${file}` };
    return indexedSource(about, made.length, index => check(made[index] as Sample));
  }
  if (!isInputSource(made)) {
    throw new WhittleError('the file does not give inputs', {
      file,
      hint: 'Export an InputSource, an array of samples, or a function that returns one',
    });
  }
  const { sample } = made;
  return {
    ...made,
    description: made.description ?? `inputs from ${file}`,
    ...(sample
      ? { sample: async (index: number) => check(await blaming(file, () => sample.call(made, index))) }
      : {}),
    async *samples() {
      const samples = made.samples()[Symbol.asyncIterator]();
      try {
        for (;;) {
          const { done, value } = await blaming(file, () => samples.next());
          if (done) return;
          yield check(value);
        }
      } finally {
        await samples.return?.();
      }
    },
  };
}

/** Runs the user's code; what it throws is reported as the user's own, not as a bug of ours. */
async function blaming<T>(file: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WhittleError(`the inputs' own code failed: ${reason}`, {
      file,
      hint: 'Run with --verbose to see where',
      cause,
    });
  }
}

const isInputSource = (value: unknown): value is InputSource =>
  typeof value === 'object' && value !== null && typeof (value as InputSource).samples === 'function';
