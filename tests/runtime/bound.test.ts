import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/index.js';
import { createSession, DeviceTensor, download } from '../../src/runtime/index.js';
import { descent, layer, negations } from './models.js';

const zeros = (...dims: number[]) => Tensor.float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));

describe.each(['cpu', 'wasm'] as const)('a bound run on %s', provider => {
  it('reads its feeds anew and writes into its outputs', async () => {
    const session = await createSession(layer(), { provider, threads: 1 });
    const data = Float32Array.of(1, 1);
    const y = zeros(1, 3);
    const bound = session.bind({ x: Tensor.float32([1, 2], data) }, { y });
    expect((await bound.run()).y).toBe(y);
    expect(y.toNumbers()).toEqual([6, 8, 0]);
    data.fill(2);
    await bound.run();
    expect(y.toNumbers()).toEqual([11, 15, 0]);
    await session.release();
  });

  it('carries state back and forth between two buffers', async () => {
    const session = await createSession(descent(), { provider, threads: 1 });
    const [a, b] = [Tensor.float32([2], [1, -2]), zeros(2)];
    const steps = [
      session.bind({ w: a }, { next: b, loss: null }),
      session.bind({ w: b }, { next: a, loss: null }),
    ];
    const losses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const { loss } = await steps[i % 2]!.run();
      losses.push((await download(loss!)).toNumbers()[0]!);
    }
    // w ← w / 2, loss = w · w
    expect(losses).toEqual([5, 5 / 4, 5 / 16, 5 / 64, 5 / 256, 5 / 1024]);
    expect(a.toNumbers()).toEqual([1 / 64, -2 / 64]);
    await session.release();
  });

  it('works in shared and in unaligned memory', async () => {
    const session = await createSession(negations(1), { provider, threads: 1 });
    const input = new Float32Array(new SharedArrayBuffer(16));
    const output = new Tensor('float32', [4], new Uint8Array(17).subarray(1));
    const bound = session.bind({ x0: Tensor.from('float32', [4], input) }, { y0: output });
    for (const value of [1, 2]) {
      input.fill(value);
      await bound.run();
      expect(output.toNumbers()).toEqual([-value, -value, -value, -value]);
    }
    await session.release();
  });

  it('takes another feed of the same shape', async () => {
    const session = await createSession(layer(), { provider, threads: 1 });
    const bound = session.bind({ x: zeros(1, 2) });
    bound.feed('x', Tensor.float32([1, 2], [1, 1]));
    expect((await download((await bound.run()).y!)).toNumbers()).toEqual([6, 8, 0]);
    expect(() => bound.feed('x', zeros(2, 2))).toThrow(/"x" must keep its dtype and shape/);
    expect(() => bound.feed('z', zeros(1, 2))).toThrow(/"z" must keep/);
    await session.release();
  });

  it('refuses outputs that cannot hold the result', async () => {
    const session = await createSession(layer(), { provider, threads: 1 });
    const x = zeros(1, 2);
    await expect(session.bind({ x }, { y: zeros(2, 3) }).run()).rejects.toThrow(/2/);
    expect(() => session.bind({ x }, { z: null })).toThrow(/"z" is neither an output/);
    const lazy = { byteLength: 12, read: () => new Uint8Array(12) };
    expect(() => session.bind({ x }, { y: new Tensor('float32', [1, 3], lazy) })).toThrow(/in memory/);
    await session.release();
  });
});

it('leaves nothing on a device where there is none', async () => {
  const session = await createSession(negations(1), { keepOnDevice: true });
  const { y0 } = await session.bind({ x0: zeros(4) }).run();
  expect(y0).not.toBeInstanceOf(DeviceTensor);
  await session.release();
});
