import type { FromWorker, ToWorker } from './worker-protocol.js';

/** One worker, whatever the platform calls it. */
export interface WorkerPort {
  post(message: ToWorker, transfer: ArrayBuffer[]): void;
  /** Stops the worker at once, also in the middle of a job. */
  terminate(): void;
  /** Whether this worker keeps a Node process alive; without meaning in a browser. */
  keepAlive(alive: boolean): void;
}

export interface WorkerEvents {
  message(message: FromWorker): void;
  /** The worker has ended or cannot go on. */
  failure(reason: string): void;
}

export type SpawnWorker = (events: WorkerEvents) => WorkerPort;

/** How this platform starts workers, and how many it can run at once. */
export interface WorkerPlatform {
  spawn: SpawnWorker;
  parallelism: number;
}

/** worker_threads in Node, Web Workers elsewhere. */
export async function workerPlatform(): Promise<WorkerPlatform> {
  const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;
  return inNode ? nodePlatform() : { spawn: spawnWebWorker, parallelism: navigator.hardwareConcurrency || 2 };
}

async function nodePlatform(): Promise<WorkerPlatform> {
  // Variables keep bundlers for the browser from looking for Node's modules.
  const [threads, system] = ['node:worker_threads', 'node:os'];
  const { Worker } = (await import(/* @vite-ignore */ threads)) as typeof import('node:worker_threads');
  const { availableParallelism } = (await import(/* @vite-ignore */ system)) as typeof import('node:os');
  const file = new URL(
    import.meta.url.endsWith('.ts') ? './pool-worker.ts' : './pool-worker.js',
    import.meta.url,
  );
  // From the sources (tests, benchmarks) the worker is TypeScript, which Node 20 cannot read by itself.
  const execArgv = file.pathname.endsWith('.ts') ? ['--import', 'jiti/register'] : [];

  const spawn: SpawnWorker = events => {
    const worker = new Worker(file, { execArgv, name: 'linalg' });
    worker.on('message', events.message);
    worker.on('messageerror', error => events.failure(`its answer cannot be read: ${error.message}`));
    worker.on('error', error => events.failure(error instanceof Error ? error.message : String(error)));
    worker.on('exit', code => events.failure(`it exited with code ${code}`));
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      terminate: () => void worker.terminate(),
      keepAlive: alive => (alive ? worker.ref() : worker.unref()),
    };
  };
  return { spawn, parallelism: availableParallelism() };
}

const spawnWebWorker: SpawnWorker = events => {
  const worker = new Worker(new URL('./pool-worker.js', import.meta.url), { type: 'module', name: 'linalg' });
  worker.addEventListener('message', event => events.message(event.data));
  worker.addEventListener('messageerror', () => events.failure('its answer cannot be read'));
  worker.addEventListener('error', event => events.failure(event.message || 'its script cannot be loaded'));
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    terminate: () => worker.terminate(),
    keepAlive: () => {},
  };
};
