/** What runs inside of a worker: answers jobs one after another, on kernels of its own. */
import { useKernelModule } from './kernels.js';
import { TASKS } from './tasks.js';
import { buffersOf, type FromWorker, serializeError, type ToWorker } from './worker-protocol.js';

type Post = (message: FromWorker, transfer: ArrayBuffer[]) => void;

function answer(message: ToWorker, post: Post): void {
  if ('module' in message) {
    useKernelModule(message.module);
    return;
  }
  try {
    const task = TASKS[message.task] as (...args: unknown[]) => unknown;
    const result = task(...message.args);
    post({ result }, [...buffersOf(result)]);
  } catch (error) {
    post({ error: serializeError(error) }, []);
  }
}

/** The part of a web worker's global scope that is used here. */
interface WorkerScope {
  postMessage(message: FromWorker, transfer: ArrayBuffer[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void;
}

if ('WorkerGlobalScope' in globalThis) {
  const scope = globalThis as unknown as WorkerScope;
  const post: Post = (message, transfer) => scope.postMessage(message, transfer);
  scope.addEventListener('message', event => answer(event.data, post));
  post({ ready: true }, []);
} else {
  void serveThread();
}

/** A worker thread of Node. No top-level await: bundlers make classic scripts of web workers, which have none. */
async function serveThread(): Promise<void> {
  // A variable keeps bundlers for the browser from looking for Node's module.
  const threads = 'node:worker_threads';
  const { parentPort } = (await import(/* @vite-ignore */ threads)) as typeof import('node:worker_threads');
  const post: Post = (message, transfer) => parentPort?.postMessage(message, transfer);
  parentPort?.on('message', (message: ToWorker) => answer(message, post));
  post({ ready: true }, []);
}
