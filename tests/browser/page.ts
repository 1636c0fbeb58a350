import { Tensor } from '../../src/graph/tensor.js';
import { createSession, download, type Provider } from '../../src/runtime/index.js';

/** A deterministic image batch for the classifier of text direction, in [-1, 1]: (1, 3, 48, 192). */
export function image(): Tensor {
  const pixels = Float32Array.from(
    { length: 3 * 48 * 192 },
    (_, i) => Math.sin(i * 0.37) * Math.cos(i * 0.011),
  );
  return Tensor.float32([1, 3, 48, 192], pixels);
}

export interface PageResult {
  provider: Provider;
  /** From one run. */
  once: number[];
  /** From the second of two bound runs, written into the same tensor. */
  bound: number[];
  /** Left on the device where the provider has one, then read. */
  kept: number[];
  error: string;
}

/** What the test calls in the page, and in Node for comparison. */
export async function classify(model: string, provider: Provider): Promise<PageResult> {
  const session = await createSession(model, { provider });
  const output = session.outputs[0]!.name;
  const once = (await session.run({ x: image() }))[output]!;
  const target = Tensor.float32(once.dims, new Float32Array(once.size));
  const repeated = session.bind({ x: image() }, { [output]: target });
  await repeated.run();
  target.bytes().fill(0);
  await repeated.run();
  await session.release();

  const keeping = await createSession(model, { provider, keepOnDevice: true });
  const kept = (await keeping.bind({ x: image() }).run())[output]!;
  const downloaded = await download(kept);
  await keeping.release();

  const failure = await createSession(new Uint8Array([1, 2, 3]), { provider }).catch((e: Error) => e);
  return {
    provider: session.provider,
    once: once.toNumbers(),
    bound: target.toNumbers(),
    kept: downloaded.toNumbers(),
    error: failure instanceof Error ? failure.message : 'none',
  };
}

Object.assign(globalThis, { classify });
