import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { countsCpu } from '../harness.js';

/** What bench/peers/linalg.py knows. */
export type Operation = 'svd' | 'values' | 'eigh';

/** LAPACK (OpenBLAS) in a Python process with a fixed number of threads. */
export class Numpy {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(name: string, child: ChildProcess, lines: AsyncIterator<string>) {
    this.name = name;
    this.child = child;
    this.lines = lines;
  }

  /** Starts the process; undefined, and a message, where Python or numpy is missing. */
  static async start(threads: number): Promise<Numpy | undefined> {
    const script = fileURLToPath(new URL('./linalg.py', import.meta.url));
    const count = String(threads);
    const env = {
      ...process.env,
      OPENBLAS_NUM_THREADS: count,
      OMP_NUM_THREADS: count,
      MKL_NUM_THREADS: count,
    };
    const child = spawn('python3', [script], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const failed = once(child, 'error').then(() => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), failed]);
    if (!first || first.done) {
      console.error('numpy is not installed here (python3 -c "import numpy"): no comparison with LAPACK');
      return undefined;
    }
    const { version } = JSON.parse(first.value) as { version: string };
    return new Numpy(`numpy ${version}, ${threads} thread${threads > 1 ? 's' : ''}`, child, lines);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Milliseconds for one operation on each shape in turn. */
  async time(op: Operation, shapes: readonly (readonly [number, number])[]): Promise<number> {
    this.child.stdin!.write(`${JSON.stringify({ op, shapes })}\n`);
    const answer = await this.lines.next();
    if (answer.done) throw new Error('the numpy process ended');
    const { ms, cpuMs } = JSON.parse(answer.value) as { ms: number; cpuMs: number };
    return countsCpu ? cpuMs : ms;
  }

  stop(): void {
    this.child.stdin!.end();
  }
}
