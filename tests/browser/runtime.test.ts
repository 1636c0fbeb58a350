import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, WEBGPU_FLAGS } from './chromium.js';
import { exercise, type PageResult } from './page.js';

describe.skipIf(!chromiumPath)('the runtime in a bundled page', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let files: Map<string, string | Uint8Array>;

  beforeAll(async () => {
    files = await bundle('tests/browser/page.ts');
    server = createServer((request, response) => {
      const path = new URL(request.url!, 'http://localhost').pathname;
      const file = files.get(path);
      response.writeHead(file === undefined ? 404 : 200, { 'content-type': contentType(path) }).end(file);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    browser = await chromium.launch({
      executablePath: chromiumPath!,
      args: ['--no-sandbox', ...WEBGPU_FLAGS],
    });
    page = await browser.newPage();
    // A secure context, which WebGPU asks for: localhost counts as one.
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
  });

  afterAll(async () => {
    await browser?.close();
    await new Promise(resolve => server?.close(resolve));
  });

  it.each([
    ['wasm', false],
    ['webgpu', true],
  ] as const)('computes on %s what Node computes', async (provider, onDevice) => {
    const expected = await exercise('cpu');
    const result = await page.evaluate(p => {
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
    const message = await page.evaluate(() => {
      const { exercise } = globalThis as unknown as { exercise: (provider: string) => Promise<PageResult> };
      return exercise('cuda').catch((error: Error) => error.message);
    });
    expect(message).toMatch(/^the provider "cuda" does not work here .* Available: wasm, webgpu$/);
  });

  it('does not download the native build', () => {
    const scripts = [...files].filter(([path]) => path.endsWith('.js')).map(([, text]) => String(text));
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts) expect(script).not.toContain('listSupportedBackends');
  });
});

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
}

/** Bundles a module as an application would; the page by its address. */
async function bundle(entry: string): Promise<Map<string, string | Uint8Array>> {
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: false, modulePreload: false, rolldownOptions: { input: entry } },
  })) as Rolldown.RolldownOutput;
  const files = new Map<string, string | Uint8Array>();
  for (const file of result.output) {
    files.set(`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source);
    if (file.type === 'chunk' && file.isEntry) {
      files.set(
        '/',
        `<!doctype html><title>test</title><script type="module" src="/${file.fileName}"></script>`,
      );
    }
  }
  return files;
}

function contentType(path: string): string {
  if (path === '/') return 'text/html';
  if (path.endsWith('.js')) return 'text/javascript';
  return path.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
}
