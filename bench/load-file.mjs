/**
 * Loads a file into ONNX Runtime and runs it on zeros, sizes that are free being 1; prints what that took as JSON.
 * A process of its own, started by `measureLoading`.
 */
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';

const memory = name => {
  const status = readFileSync('/proc/self/status', 'utf8');
  return 1024 * Number(new RegExp(`${name}:\\s*(\\d+)`).exec(status)?.[1]);
};

const since = start => {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};

const before = memory('VmRSS');
let start = process.cpuUsage();
const session = await ort.InferenceSession.create(process.argv[2], { intraOpNumThreads: 1 });
const ms = since(start);
const feeds = {};
for (const { name, type, shape } of session.inputMetadata) {
  const dims = shape.map(dim => (typeof dim === 'number' ? dim : 1));
  const size = dims.reduce((a, b) => a * b, 1);
  const data = type === 'int64' ? new BigInt64Array(size) : new Float32Array(size);
  feeds[name] = new ort.Tensor(type, data, dims);
}
let runMs = Infinity;
for (let i = 0; i < 10; i++) {
  start = process.cpuUsage();
  await session.run(feeds);
  runMs = Math.min(runMs, since(start));
}
console.log(JSON.stringify({ ms, runMs, peak: memory('VmHWM') - before }));
