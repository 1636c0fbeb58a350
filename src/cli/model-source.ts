import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ModelFolder } from '../hub/folder.node.js';
import type { PullPlan } from '../hub/pull.node.js';
import { isHubReference, parseHubReference } from '../hub/reference.js';
import { formatBytes, plural } from '../report/format.js';
import { ProgressLine } from './progress.js';
import type { Terminal } from './terminal.js';

/** What a verb's MODEL argument stands for. */
export interface ModelSource {
  /** Path of the ONNX file. */
  readonly path: string;
  /** The Hugging Face folder that it lies in, where it does. */
  readonly folder?: ModelFolder;
  /** Whether the argument named the folder (or a model on the hub) rather than the file. */
  readonly named: 'file' | 'folder';
}

/** What `MODEL` may be, for a verb's help. */
export const MODEL_ARGUMENT =
  'an ONNX file, a folder as Hugging Face lays it out, or hf:owner/name[@revision][:file]';

export interface ModelFlags {
  yes?: boolean;
}

export const withModelOptions = (command: Command): Command =>
  command.option('-y, --yes', 'download from the hub without asking');

/**
 * Finds the model that the argument names; one on the hub is downloaded first, after its size was shown.
 * @throws WhittleError where there is none
 */
export async function locateModel(
  argument: string,
  flags: ModelFlags,
  terminal: Terminal,
): Promise<ModelSource> {
  if (isHubReference(argument)) return { ...(await pull(argument, flags, terminal)), named: 'folder' };
  const status = await stat(argument).catch(() => undefined);
  // Whatever else it is, the reader of models says what is wrong with it.
  if (!status?.isDirectory() && !status?.isFile()) return { path: argument, named: 'file' };
  const { folderOf, openModelFolder } = await import('../hub/folder.node.js');
  if (status.isDirectory()) {
    const folder = await openModelFolder(argument);
    return { path: folder.model, folder, named: 'folder' };
  }
  const folder = await folderOf(argument);
  return { path: argument, ...(folder && { folder }), named: 'file' };
}

async function pull(
  argument: string,
  flags: ModelFlags,
  terminal: Terminal,
): Promise<Pick<ModelSource, 'path' | 'folder'>> {
  const reference = parseHubReference(argument);
  const [{ pullModel }, { openModelFolder }] = await Promise.all([
    import('../hub/pull.node.js'),
    import('../hub/folder.node.js'),
  ]);
  const progress = new ProgressLine(terminal);
  const confirm = async (plan: PullPlan): Promise<boolean> => {
    const size = `${reference.repo}: ${formatBytes(plan.bytes)} in ${plural(plan.files.length, 'file')}`;
    if (flags.yes || !terminal.confirm) {
      terminal.err(`Downloading ${size}.\n`);
      return true;
    }
    return terminal.confirm(`Download ${size}?`);
  };
  const { folder, model, offline } = await pullModel(reference, {
    confirm,
    signal: terminal.signal,
    onProgress: (done, total, path) => progress.update({ phase: 'download', done, total, detail: path }),
  }).finally(() => progress.end());
  if (offline) terminal.err('The hub cannot be reached; this is the copy in the cache.\n');
  const { relative } = await import('node:path');
  const opened = await openModelFolder(folder, relative(folder, model).replaceAll('\\', '/'));
  return { path: model, folder: opened };
}
