import { readFile } from 'node:fs/promises';
import { WhittleError } from '../graph/errors.js';
import { writeAtomically } from '../onnx/atomic-write.node.js';
import { describeFileError } from '../onnx/file-errors.node.js';
import { LineFile } from '../train/logs/line-file.node.js';
import type { RunRecord } from './record.js';

/** The file of a study's results: one JSON object a line, one line a run, only ever added to while a study runs. */
export class Results {
  readonly path: string;
  private readonly file: LineFile;
  private opened = false;

  constructor(path: string) {
    this.path = path;
    this.file = new LineFile(path);
  }

  /**
   * All records, in the order of the file. A last line without an end was cut off by a kill and does not count.
   * @throws WhittleError naming a line that is no record
   */
  async read(): Promise<RunRecord[]> {
    const text = await readFile(this.path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw describeFileError(error, this.path, 'read');
    });
    return text
      .split('\n')
      .slice(0, -1)
      .map((line, i) => {
        const record = parse(line);
        if (isRecord(record)) return record;
        throw new WhittleError(`line ${i + 1} is no record of a run`, {
          file: this.path,
          hint: 'Remove the line; the run will be made again',
        });
      });
  }

  /** Adds a line, in one piece. */
  async append(record: RunRecord): Promise<void> {
    if (!this.opened) await this.file.open(() => true);
    this.opened = true;
    await this.file.append(JSON.stringify(record));
    await this.file.flush();
  }

  /** Removes the records of these runs, so that they are made anew. */
  async forget(keys: ReadonlySet<string>): Promise<void> {
    const kept = (await this.read()).filter(({ key }) => !keys.has(key));
    const text = kept.map(record => `${JSON.stringify(record)}\n`).join('');
    await writeAtomically([{ path: this.path, chunks: () => [new TextEncoder().encode(text)] }]);
  }

  async close(): Promise<void> {
    if (this.opened) await this.file.close();
    this.opened = false;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecord(json: unknown): json is RunRecord {
  const { format, key, arm, seed, state, figures, reason } = (json ?? {}) as Record<string, unknown>;
  if (format !== 1 || typeof key !== 'string' || typeof arm !== 'string' || typeof seed !== 'number')
    return false;
  return state === 'done' ? typeof figures === 'object' && figures !== null : typeof reason === 'string';
}
