import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { ownExports } from '../../scripts/own-exports.js';
import { chromiumPath, WEBGPU_FLAGS } from './chromium.js';

/** A module bundled as an application would do it, loaded by a page of a real browser. */
export class ServedPage {
  /** What the bundler made, by address. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  readonly page: Page;
  private readonly browser: Browser;
  private readonly server: Server;

  private constructor(files: Map<string, string | Uint8Array>, page: Page, browser: Browser, server: Server) {
    this.files = files;
    this.page = page;
    this.browser = browser;
    this.server = server;
  }

  static async open(entry: string): Promise<ServedPage> {
    const files = await bundle(entry);
    const server = createServer((request, response) => {
      const path = new URL(request.url!, 'http://localhost').pathname;
      const file = files.get(path);
      response.writeHead(file === undefined ? 404 : 200, { 'content-type': contentType(path) }).end(file);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const browser = await chromium.launch({
      executablePath: chromiumPath!,
      args: ['--no-sandbox', ...WEBGPU_FLAGS],
    });
    const page = await browser.newPage();
    // A secure context, which WebGPU asks for: localhost counts as one.
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    return new ServedPage(files, page, browser, server);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await new Promise(resolve => this.server.close(resolve));
  }
}

async function bundle(entry: string): Promise<Map<string, string | Uint8Array>> {
  const result = (await build({
    configFile: false,
    logLevel: 'error',
    resolve: { alias: ownExports() },
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
