import { WhittleError } from '../graph/errors.js';
import { type Backend, type Engine, type Ort, queue } from './backend.js';
import type { Provider } from './options.js';

interface OrtNode extends Ort {
  readonly env: { logLevel?: string };
  listSupportedBackends(): readonly { name: string }[];
}

const NATIVE: readonly Provider[] = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml'];

// The native library takes tens of milliseconds to load, and many commands never run a model.
let native: Promise<OrtNode> | undefined;

function loadNative(): Promise<OrtNode> {
  // From 1.30 on ONNX Runtime reports its use to Microsoft, on Linux and macOS too, unless this is set before it loads.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  native ??= import('onnxruntime-node').then(
    module => module.default as unknown as OrtNode,
    (cause: unknown) => {
      throw new WhittleError(`onnxruntime-node does not load on ${process.platform} ${process.arch}`, {
        hint: 'The provider "wasm" runs everywhere, more slowly',
        cause,
      });
    },
  );
  return native;
}

// WebAssembly has one stack: a call that waits for the GPU must end before the next.
const exclusively = queue();

export const backend: Backend = {
  defaultProvider: 'cpu',

  async built() {
    const backends = await loadNative().then(
      ort => ort.listSupportedBackends(),
      () => [],
    );
    const names = backends.map(b => b.name);
    return [...NATIVE.filter(p => names.includes(p)), 'wasm'];
  },

  async load(provider, { threads, verbose }): Promise<Engine> {
    if (provider === 'wasm') {
      const { env, ...ort } = await import('onnxruntime-web');
      env.logLevel = verbose ? 'warning' : 'fatal';
      // Its worker threads would keep the process alive.
      env.wasm.numThreads = threads ?? 1;
      return { ort, provider, writesOutputs: false, exclusively };
    }
    const ort = await loadNative();
    // Read once, when the first session is made.
    ort.env.logLevel = verbose ? 'warning' : 'fatal';
    return { ort, provider, writesOutputs: true, exclusively: call => call() };
  },

  hint(provider) {
    switch (provider) {
      case 'cuda':
        return 'CUDA needs Linux on x64, an NVIDIA driver and libraries that a plain install leaves out: `npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12`';
      case 'webgpu':
        return 'WebGPU needs a graphics driver (Vulkan, Metal or Direct3D 12)';
      case 'coreml':
        return 'Core ML is on macOS only';
      case 'dml':
        return 'DirectML is on Windows only';
      default:
        return 'Reinstall the npm package onnxruntime-node';
    }
  },
};
