/** A process that makes one run of a study; `run.node.ts` starts it. */
import { readSettings } from '../train/config/settings.js';
import { execute, Interrupted } from './execute.node.js';
import { loadStudy } from './load.node.js';
import type { Answer, Order } from './protocol.js';

const interrupt = new AbortController();

// Ctrl-C reaches the whole group of processes: the parent decides what becomes of it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => interrupt.abort());
// Without its parent nobody would record the result; the last checkpoint is kept.
process.on('disconnect', () => process.exit(1));
process.on('message', (order: Order) => {
  if (order.kind === 'stop') interrupt.abort();
  else void run(order).then(finish);
});

async function run(order: Order & { kind: 'run' }): Promise<Answer> {
  try {
    const { study, definition } = await loadStudy(order.file);
    const { figures, curves } = await execute({
      ...order,
      study,
      definition,
      values: readSettings(study.settings, order.changes),
      signal: interrupt.signal,
      onProgress: throttled(({ done, total, detail }) =>
        send({ kind: 'progress', share: done / total, detail }),
      ),
    });
    return { kind: 'done', definition, figures, curves };
  } catch (error) {
    if (error instanceof Interrupted) return { kind: 'stopped' };
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return { kind: 'failed', reason };
  }
}

const send = (answer: Answer): void => void process.send?.(answer);

function finish(answer: Answer): void {
  process.send?.(answer, () => process.exit(0));
}

interface Step {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly detail: string;
}

/** A few messages a second are enough. Progress is that of training: evaluations are short. */
function throttled(tell: (step: Step) => void): (step: Step) => void {
  let last = 0;
  return step => {
    const now = performance.now();
    if (step.phase !== 'train' || now - last < 300) return;
    last = now;
    tell(step);
  };
}
