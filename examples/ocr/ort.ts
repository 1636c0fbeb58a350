import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Runner, TensorInfo } from '../../src/data/index.js';
import type { DType } from '../../src/graph/dtype.js';
import { Tensor } from '../../src/graph/tensor.js';

const describe = (metadata: InferenceSession['inputMetadata']): TensorInfo[] =>
  metadata.map(value =>
    value.isTensor
      ? { name: value.name, dtype: value.type as DType, shape: [...value.shape] }
      : { name: value.name, dtype: 'float32', shape: undefined },
  );

/** A model in ONNX Runtime behind the interface that evaluations see. */
export async function openRunner(model: string | Uint8Array): Promise<Runner> {
  const options: InferenceSession.SessionOptions = { intraOpNumThreads: 1, logSeverityLevel: 3 };
  const session =
    typeof model === 'string'
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model, options);
  return {
    inputs: describe(session.inputMetadata),
    outputs: describe(session.outputMetadata),
    async run(feeds) {
      const ortFeeds = Object.fromEntries(
        Object.entries(feeds).map(([name, tensor]) => [
          name,
          new OrtTensor(tensor.dtype as 'float32', tensor.data() as Float32Array, tensor.dims),
        ]),
      );
      const outputs = await session.run(ortFeeds);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => [
          name,
          Tensor.from(value.type as DType, value.dims, value.data as Float32Array),
        ]),
      );
    },
  };
}
