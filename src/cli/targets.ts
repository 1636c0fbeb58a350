import { constants } from 'node:fs';
import { access, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { writeAtomically } from '../onnx/atomic-write.node.js';
import { describeFileError } from '../onnx/file-errors.node.js';

interface TargetRules {
  /** What the work reads; `undefined` for options that were not given. */
  readonly inputs: readonly (string | undefined)[];
  readonly force: boolean;
}

/**
 * Checks that files can be written before hours of work are lost for them.
 * @param paths `undefined` for outputs that are not wanted
 * @throws WhittleError where two are the same, and where one is an input, exists already or cannot be written
 */
export async function checkTargets(
  paths: readonly (string | undefined)[],
  rules: TargetRules,
): Promise<void> {
  const targets = paths.filter(path => path !== undefined);
  if (targets.includes('')) throw new WhittleError('the name of an output is empty', { hint: 'Give one' });
  const twice = targets.find((path, i) =>
    targets.slice(0, i).some(other => resolve(other) === resolve(path)),
  );
  if (twice !== undefined) {
    throw new WhittleError('two outputs would be the same file', {
      file: twice,
      hint: 'Give each a name of its own',
    });
  }
  for (const target of targets) await checkTarget(target, rules);
}

/**
 * Loads a model whose files none of the outputs replaces, those included that hold its weights.
 * @throws WhittleError where one would
 */
export async function loadBeside(path: string, targets: readonly (string | undefined)[]): Promise<Model> {
  const [{ loadModel }, { refuseOwnSource }] = await Promise.all([
    import('../onnx/load.node.js'),
    import('../onnx/save.node.js'),
  ]);
  const model = await loadModel(path);
  for (const target of targets) if (target !== undefined) refuseOwnSource(model, target);
  return model;
}

async function checkTarget(path: string, { inputs, force }: TargetRules): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new WhittleError('this is a folder, not a file', {
      file: path,
      hint: 'Give the name of a file in it',
    });
  }
  for (const input of inputs) {
    if (found && input !== undefined && (await isSameFile(path, input))) {
      throw new WhittleError('the output would replace the input', { file: path, hint: 'Give another name' });
    }
  }
  if (found && !force) {
    throw new WhittleError('the output exists already', {
      file: path,
      hint: 'Give another name, or --force to replace it',
    });
  }
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw describeFileError(error, path, 'write');
  }
}

/** @throws WhittleError where there is no such file; better now than after the model was read */
export async function checkInput(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw describeFileError(error, path, 'read');
  });
  if (!found.isFile()) throw new WhittleError('this is not a file', { file: path, hint: 'Check the path' });
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [statsA, statsB] = await Promise.all([a, b].map(path => stat(path).catch(() => undefined)));
  if (!statsA || !statsB) return false;
  if (statsA.dev === statsB.dev && statsA.ino === statsB.ino && statsA.ino !== 0) return true;
  const [realA, realB] = await Promise.all([realpath(a), realpath(b)]);
  return realA === realB;
}

/** Makes a folder for results, where it is not there yet. @throws WhittleError where the system refuses */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    const reason =
      cause.code === 'EEXIST' || cause.code === 'ENOTDIR' ? 'a file is in its place' : cause.message;
    throw new WhittleError(`the folder cannot be made: ${reason}`, {
      file: path,
      hint: 'Give another one with --out',
      cause,
    });
  });
}

/** Writes a text file whole or not at all. @throws WhittleError where the system refuses */
export async function writeText(path: string, text: string): Promise<void> {
  await writeAtomically([{ path, chunks: () => [new TextEncoder().encode(text)] }]);
}
