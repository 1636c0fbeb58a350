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
  /** Runs a call into ONNX Runtime, after the one before where the build cannot do two at a time. */
  exclusively<T>(call: () => Promise<T>): Promise<T>;
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

/** Calls one after the other, whatever becomes of the one before. */
export function queue(): Engine['exclusively'] {
  let last: Promise<unknown> = Promise.resolve();
  return call => {
    const result = last.then(call, call);
    last = result;
    return result;
  };
}
