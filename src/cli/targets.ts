import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { writeAtomically } from '../onnx/atomic-write.node.js';
import { describeFileError } from '../onnx/file-errors.node.js';

/**
 * Checks that a file can be written before hours of work are lost for it.
 * @throws WhittleError where it is one of the inputs, exists already, or cannot be written
 */
export async function checkTarget(
  path: string,
  { inputs, force }: { inputs: readonly string[]; force: boolean },
): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new WhittleError('this is a folder, not a file', {
      file: path,
      hint: 'Give the name of a file in it',
    });
  }
  for (const input of inputs) {
    if (found && (await isSameFile(path, input))) {
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

/** Writes a text file whole or not at all. @throws WhittleError where the system refuses */
export async function writeText(path: string, text: string): Promise<void> {
  await writeAtomically([{ path, chunks: () => [new TextEncoder().encode(text)] }]);
}
