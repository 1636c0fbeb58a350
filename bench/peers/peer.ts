import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { countsCpu } from '../harness.js';

interface Kind {
  /** What the version stands behind. */
  readonly title: string;
  /** Command and arguments, without the number of threads. */
  readonly command: readonly string[];
  /** Said where it does not start. */
  readonly missing: string;
}

const script = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url));
const node = (name: string): string[] => [process.execPath, '--import', 'jiti/register', script(name)];

/** Whom training is compared with, by the names that `--peer` takes. */
const PEERS: Readonly<Record<string, Kind>> = {
  pytorch: {
    title: 'PyTorch eager',
    command: ['python3', script('train.py')],
    missing: 'PyTorch is not installed here (python3 -c "import torch")',
  },
  'jax-js': {
    title: 'jax-js on WebAssembly',
    command: node('jax.ts'),
    missing: 'jax-js is not installed here (npm ci)',
  },
  tfjs: {
    title: 'TensorFlow.js on WebAssembly',
    command: node('tfjs.ts'),
    missing:
      'TensorFlow.js is not installed here (npm install --no-save @tensorflow/tfjs @tensorflow/tfjs-backend-wasm)',
  },
};

/** Another framework in a process of its own, with a fixed number of threads. */
export class Peer {
  readonly name: string;
  /** What it can train; all models where it does not say. */
  private readonly models: readonly string[] | undefined;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(
    name: string,
    models: readonly string[] | undefined,
    child: ChildProcess,
    lines: AsyncIterator<string>,
  ) {
    this.name = name;
    this.models = models;
    this.child = child;
    this.lines = lines;
  }

  /** Starts the process; undefined, and a message, where it is not installed. @throws for a name that is none of a peer's */
  static async start(peer: string, threads: number): Promise<Peer | undefined> {
    const kind = PEERS[peer];
    if (!kind) throw new Error(`--peer takes ${Object.keys(PEERS).join(', ')}, not ${peer}`);
    const [command, ...args] = kind.command;
    const child = spawn(command!, [...args, String(threads)], { stdio: ['pipe', 'pipe', 'ignore'] });
    const failed = once(child, 'error').then(() => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), failed]);
    if (!first || first.done) {
      console.error(`${kind.missing}: no comparison with it`);
      return undefined;
    }
    const { version, models } = JSON.parse(first.value) as { version: string; models?: string[] };
    const name = `${kind.title} ${version}, ${threads} thread${threads > 1 ? 's' : ''}`;
    return new Peer(name, models, child, lines);
  }

  /** Says so where it does not. */
  trains(model: string): boolean {
    const able = this.models?.includes(model) ?? true;
    if (!able) console.error(`${this.name} does not train ${model}: no comparison with it`);
    return able;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Milliseconds that one step of the named model takes, the mean over `steps`. */
  async time(model: string, steps: number): Promise<number> {
    this.child.stdin!.write(`${JSON.stringify({ model, steps, cpu: countsCpu })}\n`);
    const answer = await this.lines.next();
    if (answer.done) throw new Error(`the process of ${this.name} ended`);
    return (JSON.parse(answer.value) as { ms: number }).ms;
  }

  stop(): void {
    this.child.stdin!.end();
  }
}
