import { type Backend, type Engine, type Ort, queue } from './backend.js';
import type { Provider } from './options.js';

interface OrtWeb extends Ort {
  readonly env: { logLevel?: string; wasm: { numThreads?: number } };
}

/** Each provider's build on its own, so that a page downloads only the one that it uses. */
const BUILDS: Partial<Record<Provider, () => Promise<OrtWeb>>> = {
  wasm: () => import('onnxruntime-web/wasm'),
  webgpu: () => import('onnxruntime-web/webgpu'),
};

// WebAssembly has one stack: a call that waits for the GPU must end before the next.
const exclusively = queue();

export const backend: Backend = {
  defaultProvider: 'wasm',

  async built() {
    return 'gpu' in navigator ? ['wasm', 'webgpu'] : ['wasm'];
  },

  async load(asked, { threads, verbose }): Promise<Engine> {
    const provider = asked === 'cpu' ? 'wasm' : asked;
    const build = BUILDS[provider];
    if (!build) throw new Error('the browser has no such provider');
    const ort = await build();
    ort.env.logLevel = verbose ? 'warning' : 'fatal';
    if (threads !== undefined) ort.env.wasm.numThreads = threads;
    return { ort, provider, writesOutputs: false, exclusively };
  },

  hint(provider) {
    return provider === 'webgpu'
      ? 'The browser must have WebGPU and a GPU that it trusts; see chrome://gpu'
      : 'In the browser there are wasm and webgpu';
  },
};
