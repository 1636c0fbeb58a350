import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession, type SessionOptions } from '../../src/runtime/index.js';
import type { TrainingStep } from './step.js';

/** A step in ONNX Runtime, its state double-buffered: two bound runs, each of which writes what the other reads. */
export class Trainer {
  /** One step; gives the loss. */
  readonly step: () => Promise<number>;
  readonly release: () => Promise<void>;

  private constructor(step: () => Promise<number>, release: () => Promise<void>) {
    this.step = step;
    this.release = release;
  }

  static async start(
    model: Model,
    { state, data }: Pick<TrainingStep, 'state' | 'data'>,
    classes: number,
    options: SessionOptions = {},
  ): Promise<Trainer> {
    const session = await createSession(encodeToBytes(model), options);
    const feeds = Object.fromEntries(
      data.map(({ name, dtype, dims }) => [name, dtype === 'int64' ? labels(dims, classes) : noise(dims)]),
    );
    const fixed: Record<string, Tensor> = {};
    const [now, next]: Record<string, Tensor>[] = [{}, {}];
    const outputs = new Set(session.outputs.map(output => output.name));
    for (const [name, tensor] of state) {
      if (!outputs.has(`${name}.next`)) fixed[name] = tensor;
      else {
        now![name] = Tensor.float32(tensor.dims, Float32Array.from(tensor.toFloat32()));
        next![name] = Tensor.float32(tensor.dims, new Float32Array(tensor.size));
      }
    }
    const loss = Tensor.float32([], new Float32Array(1));
    const bind = (from: Record<string, Tensor>, to: Record<string, Tensor>) =>
      session.bind(
        { ...feeds, ...fixed, ...from },
        { loss, ...Object.fromEntries(Object.entries(to).map(([name, t]) => [`${name}.next`, t])) },
      );
    const runs = [bind(now!, next!), bind(next!, now!)];
    let count = 0;
    const step = async (): Promise<number> => {
      await runs[count++ % 2]!.run();
      return loss.data()[0] as number;
    };
    return new Trainer(step, () => session.release());
  }
}

let seed = 1;
/** Uniform in [0, 1). */
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}

const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

const noise = (dims: readonly number[]): Tensor =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => 2 * (random() + random() + random() - 1.5)),
  );

const labels = (dims: readonly number[], classes: number): Tensor =>
  Tensor.int64(
    Array.from({ length: sizeOf(dims) }, () => Math.floor(random() * classes)),
    dims,
  );
