import type { Tensor as OrtTensor } from 'onnxruntime-web';
import type { DType } from '../graph/dtype.js';
import type { Tensor } from '../graph/tensor.js';
import { fromOrt } from './convert.js';

/** An output that was left on the device. Feed it to a later run of the same provider, then release it. */
export class DeviceTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** ONNX Runtime's own handle. */
  readonly native: OrtTensor;

  constructor(native: OrtTensor) {
    this.native = native;
    this.dtype = native.type;
    this.dims = native.dims;
  }

  /** Copies the elements to main memory, where they stay: a later run uploads them again. */
  async read(): Promise<Tensor> {
    if (this.native.location !== 'cpu') await this.native.getData();
    return fromOrt(this.native);
  }

  /** Frees the device's memory. */
  release(): void {
    this.native.dispose();
  }
}

/** The tensor in main memory, read from the device where it is there. */
export const download = async (tensor: Tensor | DeviceTensor): Promise<Tensor> =>
  tensor instanceof DeviceTensor ? tensor.read() : tensor;
