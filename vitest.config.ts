import { existsSync } from 'node:fs';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { ownExports } from './scripts/own-exports.ts';

const CHROMIUM = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find(path => path && existsSync(path));

const node: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'node',
    include: ['tests/**/*.test.ts'],
    // ONNX Runtime's native threads want processes, and two of them fill the smallest machine we support.
    pool: 'forks',
    maxWorkers: 2,
  },
};

/** The same files as in Node: parts of Whittle that must run in a browser are tested in one. */
const browser: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'browser',
    sequence: { groupOrder: 1 },
    include: ['tests/linalg/**/*.test.ts'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath: CHROMIUM, args: ['--no-sandbox'] } }),
      instances: [{ browser: 'chromium' }],
    },
  },
};

if (!CHROMIUM)
  console.warn('No Chromium found (set CHROMIUM to its path): the tests do NOT run in a browser.');

export default defineConfig({
  resolve: { alias: ownExports() },
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    setupFiles: ['./tests/property-seed.ts'],
    globalSetup: './tests/setup.ts',
    projects: CHROMIUM ? [node, browser] : [node],
  },
});
