import { WhittleError } from '../graph/errors.js';
import { TFJS_ADVICE } from '../onnx/sniff.js';

/** Files beside a model that say how to use it; each is read by transformers.js or by Whittle. */
const SIDECARS: ReadonlySet<string> = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'preprocessor_config.json',
  'processor_config.json',
  'chat_template.jinja',
  'chat_template.json',
]);

/** What to take of a repository or folder for one model; paths with `/`, from its root. */
export interface Selection {
  readonly model: string;
  /** Files with the model's external data. */
  readonly external: readonly string[];
  /** Configuration and tokenizer. */
  readonly sidecars: readonly string[];
}

/**
 * Picks the model among a repository's files: the one asked for, `onnx/model.onnx`, `model.onnx`, or the only ONNX file
 * there is.
 * @param files paths of all files
 * @param place what to name in errors
 * @param how how one says which file, given its path
 * @throws WhittleError where there is none, or several and none of these names
 */
export function selectFiles(
  files: readonly string[],
  { wanted, place, how }: { wanted?: string | undefined; place: string; how: (path: string) => string },
): Selection {
  const models = files.filter(path => path.toLowerCase().endsWith('.onnx'));
  const model =
    wanted ??
    ['onnx/model.onnx', 'model.onnx'].find(path => models.includes(path)) ??
    (models.length === 1 ? models[0] : undefined);
  if (wanted !== undefined && !files.includes(wanted)) {
    throw new WhittleError(`there is no "${wanted}"`, { file: place, hint: listOf(models, how) });
  }
  if (model === undefined) {
    throw new WhittleError(
      models.length === 0
        ? `there is no ONNX model${describeOthers(files)}`
        : `there are ${models.length} ONNX models`,
      { file: place, hint: models.length === 0 ? adviceFor(files) : listOf(models, how) },
    );
  }
  return {
    model,
    external: files.filter(path => path !== model && isExternalOf(path, model)),
    sidecars: files.filter(path => SIDECARS.has(path)),
  };
}

/** By the names that writers give: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`, `model.data`. */
function isExternalOf(path: string, model: string): boolean {
  const stem = model.slice(0, -'.onnx'.length);
  const rest = path.startsWith(model) ? path.slice(model.length) : undefined;
  if (rest !== undefined) return /^(_data(_\d+)?|\.data|\.data_\d+)$/.test(rest);
  return path === `${stem}.data` || path === `${stem}.weights`;
}

const listOf = (models: readonly string[], how: (path: string) => string): string =>
  models.length === 0
    ? 'It has no ONNX file at all'
    : `Say which: ${models.slice(0, 8).map(how).join(', ')}${models.length > 8 ? ', …' : ''}`;

const KINDS: readonly (readonly [ending: RegExp, kind: string])[] = [
  [/\.safetensors$/, 'safetensors'],
  [/(^|\/)pytorch_model.*\.bin$|\.pth?$/, 'PyTorch'],
  [/(^|\/)tf_model\.h5$|saved_model\.pb$/, 'TensorFlow'],
  [/\.gguf$/, 'GGUF'],
  [/\.tflite$/, 'TensorFlow Lite'],
  [/(^|\/)model\.json$/, 'TensorFlow.js'],
];

function describeOthers(files: readonly string[]): string {
  const kinds = KINDS.filter(([ending]) => files.some(path => ending.test(path))).map(([, kind]) => kind);
  return kinds.length > 0 ? `, only ${kinds.join(', ')}` : '';
}

const adviceFor = (files: readonly string[]): string =>
  files.some(path => /(^|\/)model\.json$/.test(path)) && files.some(path => path.endsWith('.bin'))
    ? TFJS_ADVICE
    : files.some(path => /\.safetensors$|\.bin$/.test(path))
      ? 'Many models have an ONNX twin in the hub’s onnx-community; else export it: optimum-cli export onnx --model NAME FOLDER'
      : 'Give a repository or folder with an .onnx file';
