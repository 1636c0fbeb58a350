/** Compiles the kernels; with `ifStale` only where a source is newer than the result. */
export function buildWasm(options?: { ifStale?: boolean }): Promise<void>;
