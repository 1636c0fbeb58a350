import { Graph } from '../graph/graph.js';
import { Model } from '../graph/model.js';
import type { Tensor } from '../graph/tensor.js';
import { encodeToBytes } from '../onnx/index.js';
import { createSession } from './create.js';
import type { Session, Tensors } from './session.js';

/** Sessions of small graphs, least recently used first, by the bytes of their file and their threads. */
const cache = new Map<string, Promise<Session>>();
const CACHED_SESSIONS = 16;
const CACHED_BYTES = 1 << 16;

/**
 * Runs a small graph on the processor, e.g. to fold constants or to measure the output of one layer. A graph that
 * comes again finds its session ready; so weights that change from call to call are better fed than built in. Files
 * of more than 64 KB are not kept.
 * @param source a graph (opset 21) or a model
 * @param threads default 1: starting more takes longer than what most such graphs compute
 * @returns the graph's outputs by name
 * @throws WhittleError as `createSession` and `Session.run` do
 */
export async function evaluate(
  source: Graph | Model,
  feeds: Tensors = {},
  { threads = 1 }: { threads?: number } = {},
): Promise<Record<string, Tensor>> {
  const bytes = encodeToBytes(source instanceof Graph ? new Model(source) : source);
  // Chained without a pause, so that the run has begun before the session can be dropped.
  if (bytes.byteLength <= CACHED_BYTES) return cached(bytes, threads).then(session => session.run(feeds));
  const session = await load(bytes, threads);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Releases the sessions that `evaluate` keeps. */
export async function releaseEvaluated(): Promise<void> {
  const sessions = [...cache.values()];
  cache.clear();
  for (const session of await Promise.allSettled(sessions)) {
    if (session.status === 'fulfilled') await session.value.release();
  }
}

function cached(bytes: Uint8Array, threads: number): Promise<Session> {
  const key = `${threads} ${new TextDecoder('latin1').decode(bytes)}`;
  const session = cache.get(key) ?? load(bytes, threads);
  // Moves to the end, where the most recently used are.
  cache.delete(key);
  cache.set(key, session);
  session.catch(() => cache.delete(key));
  if (cache.size > CACHED_SESSIONS) {
    const [oldest, dropped] = cache.entries().next().value!;
    cache.delete(oldest);
    dropped.then(old => old.release()).catch(() => {});
  }
  return session;
}

const load = (bytes: Uint8Array, threads: number): Promise<Session> =>
  createSession(bytes, { provider: 'cpu', threads, optimization: 'basic' });
