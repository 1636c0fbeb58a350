import { existsSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { queue } from '../../src/runtime/backend.js';

describe('the backend', () => {
  afterEach(() => {
    vi.doUnmock('onnxruntime-node');
    vi.resetModules();
  });

  it('of the browser stands in for that of Node in sources and in the build', () => {
    const { browser } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      browser: Record<string, string>;
    };
    expect(browser['./src/runtime/backend.node.ts']).toBe('./src/runtime/backend.web.ts');
    for (const [node, web] of Object.entries(browser)) {
      const sources = [node, web].map(path => path.replace('./dist/', './src/').replace(/\.js$/, '.ts'));
      expect(sources.map(path => existsSync(path))).toEqual([true, true]);
      expect(browser[sources[0]!]).toBe(sources[1]);
    }
  });

  it('says what to do where the native library does not load', async () => {
    vi.resetModules();
    vi.doMock('onnxruntime-node', () => {
      throw new Error('no such file');
    });
    const { availableProviders, createSession } = await import('../../src/runtime/index.js');
    await expect(createSession(new Uint8Array(1))).rejects.toThrow(
      /onnxruntime-node does not load on .*"wasm" runs/,
    );
    expect(await availableProviders()).toEqual(['wasm']);
  });
});

describe('queue', () => {
  it('runs one call after the other, whether or not they fail', async () => {
    const exclusively = queue();
    const log: string[] = [];
    const call = (name: string, fail = false) =>
      exclusively(async () => {
        log.push(`${name} begins`);
        await new Promise(resolve => setTimeout(resolve, 1));
        log.push(`${name} ends`);
        if (fail) throw new Error(name);
        return name;
      });
    const results = await Promise.allSettled([call('a'), call('b', true), call('c')]);
    expect(results.map(r => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });
});
