import type { InferenceSession } from 'onnxruntime-web';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import type { Engine } from './backend.js';
import { backend } from './backend.node.js';
import { ortFailure, rejection } from './failure.js';
import type { Provider, SessionOptions } from './options.js';
import { Session } from './session.js';
import { type Source, sourceOf } from './source.js';

/**
 * Loads a model into ONNX Runtime. A model in memory is encoded first, as it is at the call; a path or bytes load
 * directly, but cannot expose intermediate values.
 * @param source a model; or a path (in the browser a URL) or the bytes of an ONNX file
 * @throws WhittleError where ONNX Runtime rejects the model, the provider is missing, or a value to expose
 */
export async function createSession(
  source: Model | Uint8Array | string,
  options: SessionOptions = {},
): Promise<Session> {
  return openSession(sourceOf(source, options.expose), options);
}

export async function openSession(
  { data, external, file, exposed }: Source,
  options: SessionOptions,
): Promise<Session> {
  const provider = options.provider ?? backend.defaultProvider;
  const engine = await loadEngine(provider, options);
  const settings = ortOptions(engine, options);
  if (external.length > 0) settings.externalData = external;
  try {
    const { InferenceSession } = engine.ort;
    const native = await engine.exclusively(() =>
      // The two overloads of `create` do not take the union.
      typeof data === 'string'
        ? InferenceSession.create(data, settings)
        : InferenceSession.create(data, settings),
    );
    return new Session(engine, native, { file, exposed, profiling: options.profile !== undefined });
  } catch (error) {
    await requireProvider(engine, provider);
    throw rejection(error, file);
  }
}

let available: Promise<Provider[]> | undefined;

/** The providers that work on this machine, tried with a tiny model at the first call. */
export function availableProviders(): Promise<Provider[]> {
  available ??= tryProviders();
  return available;
}

async function tryProviders(): Promise<Provider[]> {
  const working: Provider[] = [];
  for (const provider of await backend.built()) {
    const engine = await backend.load(provider, {});
    if ((await tryProvider(engine)) === undefined) working.push(provider);
  }
  return working;
}

async function loadEngine(provider: Provider, options: SessionOptions): Promise<Engine> {
  const known = await backend.built();
  if (!known.includes(provider) && provider !== 'cpu') throw await missing(provider, 'not in this build');
  return backend.load(provider, options);
}

/** Tells a missing device from a bad model after a session failed. @throws WhittleError where it is the device */
async function requireProvider(engine: Engine, provider: Provider): Promise<void> {
  if (provider === 'cpu') return;
  const error = await tryProvider(engine);
  if (error !== undefined) throw await missing(provider, ortFailure('', error).message.slice(2), error);
}

async function missing(provider: Provider, reason: string, cause?: unknown): Promise<WhittleError> {
  return new WhittleError(`the provider "${provider}" does not work here (${reason})`, {
    hint: `${backend.hint(provider)}. Available: ${(await availableProviders()).join(', ')}`,
    cause,
  });
}

/** An ONNX file of one Identity node on float32. */
const IDENTITY = Uint8Array.from([
  8, 8, 58, 43, 10, 16, 10, 1, 120, 18, 1, 121, 34, 8, 73, 100, 101, 110, 116, 105, 116, 121, 18, 1, 103, 90,
  9, 10, 1, 120, 18, 4, 10, 2, 8, 1, 98, 9, 10, 1, 121, 18, 4, 10, 2, 8, 1, 66, 4, 10, 0, 16, 13,
]);

/** What goes wrong when the provider runs the smallest model; `undefined` where it works. */
async function tryProvider(engine: Engine): Promise<unknown> {
  try {
    await engine.exclusively(async () => {
      const session = await engine.ort.InferenceSession.create(IDENTITY, ortOptions(engine, {}));
      await session.release();
    });
    return undefined;
  } catch (error) {
    return error;
  }
}

const LEVELS = {
  none: 'disabled',
  basic: 'basic',
  extended: 'extended',
  layout: 'layout',
  all: 'all',
} as const;

function ortOptions(engine: Engine, options: SessionOptions): InferenceSession.SessionOptions {
  const config: Record<string, string> = { ...options.config };
  if (options.spinning !== undefined)
    config['session.intra_op.allow_spinning'] = options.spinning ? '1' : '0';
  return {
    executionProviders: [engine.provider],
    graphOptimizationLevel: LEVELS[options.optimization ?? 'all'],
    // Every error is thrown as well; 4 (fatal) keeps it from being printed too.
    logSeverityLevel: options.verbose ? 2 : 4,
    ...(options.threads !== undefined && { intraOpNumThreads: options.threads }),
    ...(options.arena !== undefined && { enableCpuMemArena: options.arena, enableMemPattern: options.arena }),
    ...(options.profile !== undefined && { enableProfiling: true, profileFilePrefix: options.profile }),
    ...(options.keepOnDevice &&
      engine.provider === 'webgpu' && { preferredOutputLocation: location(options.keepOnDevice) }),
    ...(Object.keys(config).length > 0 && { extra: config }),
  };
}

const location = (
  kept: true | readonly string[],
): InferenceSession.SessionOptions['preferredOutputLocation'] =>
  kept === true ? 'gpu-buffer' : Object.fromEntries(kept.map(name => [name, 'gpu-buffer' as const]));
