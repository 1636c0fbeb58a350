import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: './tests/build-kernels.ts',
    testTimeout: 60_000,
    // ONNX Runtime's native threads want processes, and two of them fill the smallest machine we support.
    pool: 'forks',
    maxWorkers: 2,
  },
});
