import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from './chromium.js';
import { exercise, type PageResult } from './page.js';
import { ServedPage } from './served-page.js';

describe.skipIf(!chromiumPath)('the runtime in a bundled page', () => {
  let served: ServedPage;

  beforeAll(async () => {
    served = await ServedPage.open('tests/browser/page.ts');
  });

  afterAll(() => served?.close());

  it.each([
    ['wasm', false],
    ['webgpu', true],
  ] as const)('computes on %s what Node computes', async (provider, onDevice) => {
    const expected = await exercise('cpu');
    const result = await served.page.evaluate(p => {
      const { exercise } = globalThis as unknown as { exercise: (provider: string) => Promise<PageResult> };
      return exercise(p);
    }, provider);
    expect(result.provider).toBe(provider);
    expect(result.onDevice).toBe(onDevice);
    expectClose(result.difference, expected.difference);
    expectClose(result.bufferedLosses, expected.bufferedLosses);
    expectClose(result.keptLosses, expected.bufferedLosses);
    expect(expected.bufferedLosses[9]).toBeLessThan(0.5 * expected.bufferedLosses[0]!);
    expect(result.error).toMatch(/^ONNX Runtime rejects the model: .*protobuf/);
  });

  it('names the providers of the browser', async () => {
    const message = await served.page.evaluate(() => {
      const { exercise } = globalThis as unknown as { exercise: (provider: string) => Promise<PageResult> };
      return exercise('cuda').catch((error: Error) => error.message);
    });
    expect(message).toMatch(/^the provider "cuda" does not work here .* Available: wasm, webgpu$/);
  });

  it('does not download the native build', () => {
    const scripts = [...served.files]
      .filter(([path]) => path.endsWith('.js'))
      .map(([, text]) => String(text));
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts) expect(script).not.toContain('listSupportedBackends');
  });
});

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
}
