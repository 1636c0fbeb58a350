import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Order } from './protocol.js';

/** How a run's process ended. */
export type Outcome = Exclude<Answer, { kind: 'progress' }>;

/** Lines of a process's standard error that are kept to explain a crash. */
const KEPT = 4000;

/** A process that makes one run. */
export class JobProcess {
  /** Settles when the process is gone; `outcome` is set then. */
  readonly ended: Promise<void>;
  outcome: Outcome | undefined;
  onProgress: (share: number) => void = () => {};
  private readonly child: ChildProcess;
  private stopping = false;

  constructor(order: Order & { kind: 'run' }) {
    const fromSource = import.meta.url.endsWith('.ts');
    const worker = new URL(fromSource ? './worker.node.ts' : './worker.node.js', import.meta.url);
    this.child = fork(fileURLToPath(worker), {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: fromSource ? ['--import', import.meta.resolve('jiti/register')] : [],
    });
    let errors = '';
    let answer: Outcome | undefined;
    this.child.stderr!.on('data', (text: Buffer) => {
      errors = (errors + String(text)).slice(-KEPT);
    });
    this.child.on('message', (message: Answer) => {
      if (message.kind === 'progress') this.onProgress(message.share);
      else answer = message;
    });
    this.ended = new Promise(resolve => {
      const settle = (outcome: Outcome): void => {
        this.outcome ??= outcome;
        resolve();
      };
      this.child.on('error', error => settle({ kind: 'failed', reason: error.message }));
      this.child.on('close', (code, signal) => {
        const crash: Outcome = this.stopping
          ? { kind: 'stopped' }
          : { kind: 'failed', reason: describe(code, signal, errors) };
        settle(answer ?? crash);
      });
    });
    this.child.send(order satisfies Order);
  }

  /** Asks it to save a checkpoint and end. */
  stop(): void {
    this.stopping = true;
    if (this.child.connected) this.child.send({ kind: 'stop' } satisfies Order);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

function describe(code: number | null, signal: NodeJS.Signals | null, errors: string): string {
  const how = signal === null ? `the process ended with code ${code}` : `the process was ended by ${signal}`;
  const hint = signal === 'SIGKILL' ? '; the system does that when memory is short' : '';
  // Node prints the error first, then where it was thrown and its own version.
  const lines = errors.trim().split('\n');
  const reason = lines.find(line => /^\S*Error\b/.test(line)) ?? lines.at(-1);
  return `${how}${hint}${reason ? `: ${reason}` : ''}`;
}
