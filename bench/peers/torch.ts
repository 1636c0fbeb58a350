import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { countsCpu } from '../harness.js';

/** PyTorch eager in a Python process with a fixed number of threads. */
export class Torch {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(name: string, child: ChildProcess, lines: AsyncIterator<string>) {
    this.name = name;
    this.child = child;
    this.lines = lines;
  }

  /** Starts the process; undefined, and a message, where Python or PyTorch is missing. */
  static async start(threads: number): Promise<Torch | undefined> {
    const script = fileURLToPath(new URL('./train.py', import.meta.url));
    const child = spawn('python3', [script, String(threads)], { stdio: ['pipe', 'pipe', 'ignore'] });
    const failed = once(child, 'error').then(() => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), failed]);
    if (!first || first.done) {
      console.error('PyTorch is not installed here (python3 -c "import torch"): no comparison with it');
      return undefined;
    }
    const { version } = JSON.parse(first.value) as { version: string };
    return new Torch(`PyTorch ${version} eager, ${threads} thread${threads > 1 ? 's' : ''}`, child, lines);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Milliseconds that one step of the named model takes, the mean over `steps`. */
  async time(model: string, steps: number): Promise<number> {
    this.child.stdin!.write(`${JSON.stringify({ model, steps, cpu: countsCpu })}\n`);
    const answer = await this.lines.next();
    if (answer.done) throw new Error('the PyTorch process ended');
    return (JSON.parse(answer.value) as { ms: number }).ms;
  }

  stop(): void {
    this.child.stdin!.end();
  }
}
