import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { HubDtype } from '../hub/dtypes.js';
import { filesRead, type JobFlags } from './job.js';
import type { ModelSource } from './model-source.js';
import { checkTargets } from './targets.js';

/** What `whittle compress` will write. */
export interface CompressTargets {
  /** Path of the ONNX file. */
  readonly model?: string;
  /** The folder around it, where the output is one. */
  readonly folder?: string;
  readonly report?: string;
  /** Picture of the front. */
  readonly figure?: string;
}

/** What transformers.js takes on the processor where nobody says otherwise. */
export const DEFAULT_DTYPE: HubDtype = 'q8';

interface TargetFlags extends Pick<JobFlags, 'calibration' | 'tokenizer' | 'eval'> {
  readonly output?: string;
  readonly report?: string | false;
  readonly figure?: string;
  readonly dtype?: HubDtype;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** The files that will be written. @throws WhittleError where one of them cannot or must not be */
export async function compressTargets(source: ModelSource, flags: TargetFlags): Promise<CompressTargets> {
  const force = flags.force === true;
  const output = flags.dryRun ? undefined : flags.output;
  const folder = output !== undefined && (await isFolder(output, source)) ? output : undefined;
  const { dtype = DEFAULT_DTYPE } = flags;
  if (flags.dtype !== undefined && output !== undefined && folder === undefined) {
    throw new WhittleError('--dtype names a file in a folder, and the output is a file', {
      file: output,
      hint: 'Compress a folder or a model on the hub, or leave --dtype out',
    });
  }
  let model = output;
  if (folder !== undefined) {
    const { checkFolderTarget, modelPathIn } = await import('../hub/save-folder.node.js');
    // The folder itself is made when there is something to put into it.
    const status = await stat(folder).catch(() => undefined);
    if (status && !status.isDirectory()) {
      throw new WhittleError('this is a file, not a folder', {
        file: folder,
        hint: 'Give the name of a folder',
      });
    }
    await checkFolderTarget(folder, source.folder!, { dtype, force });
    model = modelPathIn(folder, source.folder!, dtype);
  }
  const page =
    typeof flags.report === 'string' ? flags.report : output && `${output.replace(/[\\/]+$/, '')}.html`;
  const report = flags.report === false ? undefined : page;
  const { figure } = flags;
  await checkTargets([folder === undefined ? model : undefined, report, figure], {
    inputs: filesRead(source, flags),
    force,
  });
  return {
    ...(model !== undefined && { model }),
    ...(folder !== undefined && { folder: resolve(folder) }),
    ...(report !== undefined && { report }),
    ...(figure !== undefined && { figure }),
  };
}

/** A folder comes out as a folder, unless a file is asked for; a file of one only where the output is a folder. */
async function isFolder(output: string, { folder, named }: ModelSource): Promise<boolean> {
  if (!folder || output.toLowerCase().endsWith('.onnx')) return false;
  if (named === 'folder' || /[\\/]$/.test(output)) return true;
  return (await stat(output).catch(() => undefined))?.isDirectory() === true;
}
