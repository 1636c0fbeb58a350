import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

/** A Chromium on this machine: `CHROMIUM_PATH`, the distribution's, or Playwright's own; `undefined` without one. */
export const chromiumPath = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  chromium.executablePath(),
].find(path => path !== undefined && path !== '' && existsSync(path));

/** WebGPU in software, so that it runs without a GPU. */
export const WEBGPU_FLAGS = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
