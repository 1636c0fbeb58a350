import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomically } from '../../onnx/atomic-write.node.js';
import { describeFileError } from '../../onnx/file-errors.node.js';

/** Lines wait for at most so long before they are on their way to the disk. */
const DELAY_MS = 1000;

/** A text file that grows by lines, written in batches so that a step does not wait for the disk. */
export class LineFile {
  private readonly path: string;
  private handle: FileHandle | undefined;
  private lines: string[] = [];
  private flushedAt = 0;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Opens the file, in a new folder where there is none, and removes lines that are not to be kept, a last line that was cut off among them.
   * @param header first line of a new file
   */
  async open(keep: (line: string) => boolean, header?: string): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true }).catch((error: unknown) => {
      throw describeFileError(error, this.path, 'write');
    });
    const text = await readFile(this.path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw describeFileError(error, this.path, 'read');
    });
    const lines = text?.split('\n').slice(0, -1) ?? [];
    const kept = lines.filter(line => line === header || keep(line));
    if (header !== undefined && kept[0] !== header) kept.unshift(header);
    const wanted = kept.map(line => `${line}\n`).join('');
    if (wanted !== text) {
      await writeAtomically([{ path: this.path, chunks: () => [new TextEncoder().encode(wanted)] }]);
    }
    this.handle = await open(this.path, 'a').catch((error: unknown) => {
      throw describeFileError(error, this.path, 'write');
    });
    this.flushedAt = performance.now();
  }

  async append(line: string): Promise<void> {
    this.lines.push(`${line}\n`);
    if (performance.now() - this.flushedAt > DELAY_MS) await this.flush();
  }

  /** @throws WhittleError where the disk is full, or gone */
  async flush(): Promise<void> {
    const text = this.lines.join('');
    this.lines = [];
    this.flushedAt = performance.now();
    if (text === '' || !this.handle) return;
    await this.handle.appendFile(text).catch((error: unknown) => {
      throw describeFileError(error, this.path, 'write');
    });
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.handle?.close();
      this.handle = undefined;
    }
  }
}
