import type { InferenceSession, TensorConstructor } from 'onnxruntime-web';
import type { Provider } from './options.js';

/** The part of ONNX Runtime's JavaScript API that is used here, the same in Node and in the browser. */
export interface Ort {
  readonly InferenceSession: {
    create(model: string, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

/** A loaded build of ONNX Runtime. */
export interface Engine {
  readonly ort: Ort;
  /** The provider by the name that this build knows it by. */
  readonly provider: Provider;
  /** Whether a run writes into output tensors that it is given. */
  readonly writesOutputs: boolean;
  /** Whether calls must not overlap. */
  readonly sequential: boolean;
}

/** What differs between platforms. `backend.node.ts` has it for Node; bundlers take `backend.web.ts` instead. */
export interface Backend {
  readonly defaultProvider: Provider;
  /** Providers that this build of ONNX Runtime has; whether the machine has the device shows only when it is used. */
  built(): Promise<readonly Provider[]>;
  /** Loads what a provider needs. @throws where the build does not have it */
  load(provider: Provider, options: { threads?: number; verbose?: boolean }): Promise<Engine>;
  /** What to do to get a provider that is missing. */
  hint(provider: Provider): string;
}
