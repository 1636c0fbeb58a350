/**
 * Makes a folder for transformers.js of one with PyTorch's weights, without Python, for encoders of BERT's kind:
 * `npx jiti examples/transformers-js/from-safetensors.ts FOLDER OUT`. FOLDER has `config.json`, `tokenizer.json` and
 * `model.safetensors`, as on the hub.
 */
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bert, exportForInference } from 'whittle-nn/nn';
import { loadWeightsFile } from 'whittle-nn/nn/node';
import { saveModel } from 'whittle-nn/onnx/node';

/** What is read of Hugging Face's `config.json`. */
interface BertConfig {
  readonly model_type: string;
  readonly hidden_act?: string;
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
}

/**
 * @returns names of the weights that the network had no place for
 * @throws where the folder is no encoder of BERT's kind, or its weights are not all there
 */
export async function fromSafetensors(folder: string, out: string): Promise<readonly string[]> {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as BertConfig;
  if (config.model_type !== 'bert' || (config.hidden_act ?? 'gelu') !== 'gelu') {
    throw new Error(
      `this makes encoders of BERT's kind with gelu, not ${config.model_type} with ${config.hidden_act}`,
    );
  }
  const network = bert({
    vocabulary: config.vocab_size,
    features: config.hidden_size,
    hiddenFeatures: config.intermediate_size,
    depth: config.num_hidden_layers,
    heads: config.num_attention_heads,
    maxTokens: config.max_position_embeddings,
    segments: config.type_vocab_size,
  });
  const { unexpected } = loadWeightsFile(network, join(folder, 'model.safetensors'));
  await mkdir(join(out, 'onnx'), { recursive: true });
  for (const name of await readdir(folder)) {
    if (/\.(json|txt)$/.test(name)) await copyFile(join(folder, name), join(out, name));
  }
  await saveModel(exportForInference(network), join(out, 'onnx/model.onnx'));
  return unexpected;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder, out] = process.argv.slice(2);
  if (folder === undefined || out === undefined) throw new Error('usage: from-safetensors.ts FOLDER OUT');
  const unexpected = await fromSafetensors(folder, out);
  console.log(
    `${join(out, 'onnx/model.onnx')}${unexpected.length > 0 ? `; left out: ${unexpected.join(', ')}` : ''}`,
  );
}
