/** Compiles the linear-algebra kernels before the tests where their sources have changed. */
export { buildWasm as setup };

// @ts-expect-error: a plain script without types
import { buildWasm as compile } from '../scripts/build-wasm.mjs';

const buildWasm = (): Promise<void> => compile({ ifStale: true });
