import { PLAIN, RELAXED } from './wasm.generated.js';

/** Address in the linear memory of an instance. */
export type Pointer = number;

/** What src/linalg/assembly/index.ts exports; matrices are addresses, steps and leading dimensions count elements. */
export interface Kernels {
  readonly memory: WebAssembly.Memory;
  mark(): Pointer;
  release(to: Pointer): void;
  reserve(bytes: number): number;
  take(count: number): Pointer;
  peakBytes(): number;
  maxAbs(count: number, p: Pointer): number;
  scale(n: number, factor: number, x: Pointer): void;
  transpose(rows: number, cols: number, from: Pointer, ldf: number, to: Pointer, ldt: number): void;
  gemm(
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: Pointer,
    rowStepA: number,
    colStepA: number,
    b: Pointer,
    rowStepB: number,
    colStepB: number,
    accumulate: boolean,
    c: Pointer,
    ldc: number,
  ): void;
  syrk(
    n: number,
    k: number,
    alpha: number,
    x: Pointer,
    rowStep: number,
    colStep: number,
    accumulate: boolean,
    c: Pointer,
    ldc: number,
  ): void;
  signRows(rows: number, n: number, x: Pointer): void;
  potrf(n: number, a: Pointer, lda: number): number;
  trsm(
    n: number,
    columns: number,
    t: Pointer,
    rowStep: number,
    colStep: number,
    lower: boolean,
    b: Pointer,
    ldb: number,
  ): void;
  trtri(n: number, t: Pointer, x: Pointer): void;
  gptq(
    rows: number,
    cols: number,
    bits: number,
    block: number,
    half: boolean,
    squares: boolean,
    w: Pointer,
    u: Pointer,
    errors: Pointer,
    importance: Pointer,
    q: Pointer,
    scales: Pointer,
    losses: Pointer,
  ): void;
  qr(m: number, n: number, a: Pointer, q: Pointer, r: Pointer, pivots: Pointer): void;
  syev(n: number, a: Pointer, values: Pointer): number;
  syevd(n: number, a: Pointer, values: Pointer, vectors: Pointer, count: number, share: number): number;
  gemmLower(
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: Pointer,
    rowStepA: number,
    colStepA: number,
    b: Pointer,
    rowStepB: number,
    colStepB: number,
    accumulate: boolean,
    c: Pointer,
    ldc: number,
    shift: number,
  ): void;
  gramVectors(n: number, g: Pointer, vt: Pointer, count: number): number;
  finishSvd(
    m: number,
    n: number,
    rows: number,
    count: number,
    ut: Pointer,
    vt: Pointer,
    sigma: Pointer,
    u: Pointer,
    v: Pointer,
    signByV: boolean,
  ): number;
  gramValues(m: number, n: number, a: Pointer, sigma: Pointer): number;
  gesdd(
    m: number,
    n: number,
    a: Pointer,
    count: number,
    sigma: Pointer,
    u: Pointer,
    uColumns: number,
    v: Pointer,
    signByV: boolean,
  ): number;
}

let compiled: WebAssembly.Module | undefined;

function bytes(): Uint8Array<ArrayBuffer> {
  const relaxed = decode(RELAXED);
  return WebAssembly.validate(relaxed) ? relaxed : decode(PLAIN);
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
}

/**
 * The compiled kernels: with relaxed SIMD where the engine knows it. The first call compiles, a few milliseconds.
 * Kernels come as base64 inside of a module, not as a file beside it: so they load the same way in Node, in every
 * bundler, in workers made of text, without a request and without an asynchronous start.
 */
export function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(bytes());
  return compiled;
}

/** Uses a module that was compiled elsewhere, as workers do. */
export function useKernelModule(module: WebAssembly.Module): void {
  compiled = module;
}

/** Compiles off the main thread. Needed only where a browser forbids compiling on the main thread. */
export async function initLinalg(): Promise<void> {
  compiled ??= await WebAssembly.compile(bytes());
}

/** A fresh instance with its own small memory. */
export function instantiate(): Kernels {
  return new WebAssembly.Instance(kernelModule(), {}).exports as unknown as Kernels;
}
