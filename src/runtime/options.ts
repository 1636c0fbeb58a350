/** Where a model runs. `cpu`, `cuda`, `coreml` and `dml` need Node; `wasm` and `webgpu` run in the browser too. */
export type Provider = 'cpu' | 'wasm' | 'webgpu' | 'cuda' | 'coreml' | 'dml';

export interface SessionOptions {
  /**
   * Default `cpu` in Node and `wasm` in the browser, where `cpu` means `wasm`. Operators that a GPU provider does
   * not have run on the processor.
   */
  provider?: Provider;
  /**
   * Threads inside an operator; default one per physical core. With `wasm` it is fixed by the first session of the
   * page, and more than one needs a cross-origin isolated page.
   */
  threads?: number;
  /** How far ONNX Runtime rewrites the graph before it runs; default `all`. */
  optimization?: 'none' | 'basic' | 'extended' | 'layout' | 'all';
  /** Keep freed memory for the next run (default true). Without it training steps take about twice the time. */
  arena?: boolean;
  /** Threads wait for work by spinning (default true): faster for many small operators, at the cost of processor time. */
  spinning?: boolean;
  /** Record the time of each operator (Node): prefix of the JSON file that is written at `release()`. */
  profile?: string;
  /**
   * Intermediate values that `run` may fetch: names, or every one whose dtype JavaScript can hold. An exposed value
   * is not fused away, so that a run takes longer and may round differently.
   */
  expose?: readonly string[] | 'all';
  /**
   * Leave outputs on the device: all, or those named. They come as DeviceTensor from bound runs. `webgpu` only; the
   * other providers hand everything to main memory.
   */
  keepOnDevice?: boolean | readonly string[];
  /** Further configuration entries of ONNX Runtime by full key, e.g. `session.set_denormal_as_zero`. */
  config?: Readonly<Record<string, string>>;
  /** Let ONNX Runtime write its warnings to stderr. */
  verbose?: boolean;
}
