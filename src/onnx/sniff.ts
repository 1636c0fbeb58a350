import { WhittleError } from '../graph/errors.js';
import type { ByteSource } from './source.js';

/** What to do with a TensorFlow.js model. */
export const TFJS_ADVICE =
  'Convert it to ONNX with tf2onnx: python -m tf2onnx.convert --tfjs model.json --output model.onnx';

const MAGICS: readonly [what: string, hint: string, matches: (head: string) => boolean][] = [
  [
    'a pointer of Git LFS, not the model itself',
    'Fetch the model with `git lfs pull`',
    head => head.startsWith('version https://git-lfs'),
  ],
  [
    'a web page, not a model',
    'The download went wrong; open the address in a browser to see what it says',
    head => /^\s*<(!doctype|html|\?xml|head|body)/i.test(head),
  ],
  [
    'a zip archive (PyTorch and NumPy write such files)',
    'Unpack it, or export the model as ONNX',
    head => head.startsWith('PK\x03\x04'),
  ],
  ['a gzip archive', 'Unpack it first', head => head.startsWith('\x1f\x8b')],
  ['an HDF5 file, as Keras writes', 'Export the model as ONNX', head => head.startsWith('\x89HDF')],
  ['a TensorFlow Lite model', 'Export the model as ONNX', head => head.slice(4, 8) === 'TFL3'],
  ['an ORT-format model', 'Use the ONNX file that it was made from', head => head.slice(4, 8) === 'ORTM'],
  ['a GGUF model', 'Export the model as ONNX', head => head.startsWith('GGUF')],
  [
    'a pickle, as PyTorch writes',
    'Export the model as ONNX',
    head => head[0] === '\x80' && '\x02\x03\x04\x05'.includes(head.charAt(1) || '?'),
  ],
  [
    'a safetensors file: weights without a graph',
    'Export the model as ONNX',
    head => head.slice(5, 8) === '\0\0\0' && head[8] === '{',
  ],
  [
    'a TensorFlow.js model',
    TFJS_ADVICE,
    head => /^\s*\{/.test(head) && /"(graph-model|layers-model|modelTopology)"/.test(head),
  ],
  ['a JSON text, not a model', 'Name the .onnx file', head => /^\s*[{[]\s*["{[]/.test(head)],
  ['a text, not a model', 'Name the .onnx file', head => /^[\t\n\r -~]+$/.test(head)],
];

/**
 * Recognizes what users mistake for a model, where the first bytes tell.
 * @throws WhittleError saying what the file is
 */
export function refuseOtherFormats(source: ByteSource, file: string | undefined): void {
  if (source.size === 0) {
    throw new WhittleError('the file is empty', { file, hint: 'Fetch or export the model again' });
  }
  if (file !== undefined && /group\d+-shard\d+of\d+(\.bin)?$/.test(file)) {
    throw new WhittleError('the file holds weights of a TensorFlow.js model', { file, hint: TFJS_ADVICE });
  }
  const head = String.fromCharCode(...source.read(0, Math.min(source.size, 256)));
  // The usual beginning of a model, its IR version: what follows may be any text, such as the exporter's name.
  if (head.startsWith('\x08') && head[1] !== '\0') return;
  for (const [what, hint, matches] of MAGICS) {
    if (matches(head)) throw new WhittleError(`the file is ${what}`, { file, hint });
  }
}
