/**
 * Times training steps of TensorFlow.js on WebAssembly for bench/train.ts. Its WebAssembly has no
 * gradient of convolutions by their filters, so that of the benchmark's models it trains the MLP alone.
 */
import { createRequire } from 'node:module';
import { serve } from './serve.js';

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Variable extends Tensor {
  readonly name: string;
  assign(value: Tensor): void;
}

/** What is used of @tensorflow/tfjs, which is not among our dependencies. */
interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  tidy<T>(work: () => T): T;
  variable(initial: Tensor): Variable;
  randomNormal(shape: number[], mean: number, std: number): Tensor;
  zeros(shape: number[]): Tensor;
  oneHot(indices: number[], depth: number): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  relu(x: Tensor): Tensor;
  logSumExp(x: Tensor, axis: number): Tensor;
  sum(x: Tensor, axis: number): Tensor;
  mean(x: Tensor): Tensor;
  variableGrads(loss: () => Tensor): { value: Tensor; grads: Record<string, Tensor> };
}

// Packages that are there only where somebody has installed them.
const load = createRequire(import.meta.url);
const tf = load('@tensorflow/tfjs') as TensorFlow;
const wasm = load('@tensorflow/tfjs-backend-wasm') as { setThreadsCount(count: number): void };
wasm.setThreadsCount(Number(process.argv[2]));
await tf.setBackend('wasm');

function mlp(): () => Promise<void> {
  const widths = [784, 1024, 1024, 10];
  const layers = widths.slice(1).map((out, i) => ({
    weight: tf.variable(tf.randomNormal([widths[i]!, out], 0, Math.sqrt(2 / widths[i]!))),
    bias: tf.variable(tf.zeros([out])),
  }));
  const parameters = layers.flatMap(({ weight, bias }, i) => [
    { value: weight, momentum: tf.variable(tf.zeros([widths[i]!, widths[i + 1]!])) },
    { value: bias, momentum: tf.variable(tf.zeros([widths[i + 1]!])) },
  ]);
  const images = tf.randomNormal([128, widths[0]!], 0, 1);
  const labels = tf.oneHot(
    Array.from({ length: 128 }, (_, i) => i % 10),
    10,
  );
  const lossOf = (): Tensor => {
    const logits = layers.reduce((hidden, { weight, bias }, i) => {
      const y = tf.add(tf.matMul(hidden, weight), bias);
      return i + 1 < layers.length ? tf.relu(y) : y;
    }, images);
    return tf.mean(tf.sub(tf.logSumExp(logits, -1), tf.sum(tf.mul(logits, labels), -1)));
  };
  return async () => {
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(lossOf);
      for (const { value: parameter, momentum } of parameters) {
        const decayed = tf.add(grads[parameter.name]!, tf.mul(parameter, 5e-4));
        momentum.assign(tf.add(tf.mul(momentum, 0.9), decayed));
        parameter.assign(tf.sub(parameter, tf.mul(momentum, 0.01)));
      }
      return value;
    });
    const [value] = await loss.data();
    loss.dispose();
    if (!Number.isFinite(value)) throw new Error(`the loss became ${value}`);
  };
}

await serve('@tensorflow/tfjs', { 'mlp-b128': mlp });
