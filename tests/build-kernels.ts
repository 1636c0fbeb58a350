import { buildWasm } from '../scripts/build-wasm.mjs';

/** Compiles the linear-algebra kernels before the tests where their sources have changed. */
export const setup = (): Promise<void> => buildWasm({ ifStale: true });
