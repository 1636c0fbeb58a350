import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Observation } from '../calibrate/observe.js';
import { isLarge, type Site } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { deserializeError } from '../linalg/worker-protocol.js';
import { encodeToBytes } from '../onnx/index.js';
import { cutOut } from './fragment.js';
import type { Settings } from './options.js';
import type { FromStudyWorker, ToStudyWorker } from './study-protocol.js';

/** Each thread holds a layer's second moment and its factors: hundreds of megabytes for wide ones. */
const MOST_WORKERS = 4;

interface Slot {
  readonly worker: Worker;
  settle?: { resolve(figures: Readonly<Record<string, number>>): void; reject(error: Error): void };
}

/** Threads that score layers side by side. What they find are figures; the candidates are made again where one is used. */
export class StudyPool {
  private readonly slots: Slot[];
  private readonly model: Model;

  private constructor(model: Model, slots: Slot[]) {
    this.model = model;
    this.slots = slots;
  }

  get workers(): number {
    return this.slots.length;
  }

  /**
   * @param pays whether scoring takes longer than threads take to start
   * @returns `undefined` where threads would not pay, or settings ask for what only this thread knows */
  static async open(
    model: Model,
    sites: readonly Site[],
    settings: Settings,
    onlyMethods: readonly string[] | undefined,
    workers = Math.min(MOST_WORKERS, availableParallelism()),
    pays = isLarge(sites),
  ): Promise<StudyPool | undefined> {
    if (workers < 2 || !pays) return undefined;
    // Static ranges belong to values of the model; a search by forward passes runs ONNX Runtime.
    if (settings.goal === 'speed' || settings.rankSearch === 'forward') return undefined;
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const file = new URL(`./study-worker.node.${extension}`, import.meta.url);
    // From the sources the worker is TypeScript, which Node 20 cannot read by itself.
    const execArgv = extension === 'ts' ? ['--import', 'jiti/register'] : [];
    const slots = await Promise.all(
      Array.from({ length: workers }, () => startSlot(new Worker(file, { execArgv, name: 'study' }))),
    );
    const order: ToStudyWorker = { settings, onlyMethods };
    for (const { worker } of slots) worker.postMessage(order);
    return new StudyPool(model, slots);
  }

  /**
   * Scores a layer. At most `workers` at a time.
   * @throws WhittleError where its worker does, or dies
   */
  score(site: Site, observation: Observation): Promise<Readonly<Record<string, number>>> {
    const slot = this.slots.find(({ settle }) => settle === undefined)!;
    const fragment = encodeToBytes(cutOut(site, this.model).model);
    const order: ToStudyWorker = { fragment, weight: site.value.name, observation };
    return new Promise((resolve, reject) => {
      slot.settle = { resolve, reject };
      slot.worker.postMessage(order);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.slots.map(({ worker }) => worker.terminate()));
  }
}

function startSlot(worker: Worker): Promise<Slot> {
  const slot: Slot = { worker };
  return new Promise((resolve, reject) => {
    const settled = () => {
      const { settle } = slot;
      delete slot.settle;
      return settle;
    };
    const fail = (reason: string) => {
      const error = new WhittleError(`a thread that scores layers died: ${reason}`, {
        hint: 'Out of memory is the usual cause: compress with fewer layers at once (--include)',
      });
      reject(error);
      settled()?.reject(error);
    };
    worker.on('message', (message: FromStudyWorker) => {
      if ('ready' in message) resolve(slot);
      else if ('error' in message) settled()?.reject(deserializeError(message.error));
      else settled()?.resolve(message.figures);
    });
    worker.on('error', error => fail(error instanceof Error ? error.message : String(error)));
    worker.on('exit', code => fail(`it exited with code ${code}`));
  });
}
