/**
 * What transformers.js appends to a model's file name for each `dtype` that one can ask it for (its
 * `DEFAULT_DTYPE_SUFFIX_MAPPING`).
 */
export const DTYPE_SUFFIXES = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  q2: '_q2',
  q2f16: '_q2f16',
  q1: '_q1',
  q1f16: '_q1f16',
  bnb4: '_bnb4',
} as const;

export type HubDtype = keyof typeof DTYPE_SUFFIXES;

export const HUB_DTYPES = Object.keys(DTYPE_SUFFIXES) as HubDtype[];

/** `model` of `onnx/model_fp16.onnx`: the name that a `config.json` knows the file by. */
export function baseName(file: string): string {
  const stem = file.replace(/^.*[\\/]/, '').replace(/\.onnx$/i, '');
  const suffixes = Object.values(DTYPE_SUFFIXES).filter(suffix => suffix !== '');
  const suffix = suffixes.sort((a, b) => b.length - a.length).find(end => stem.endsWith(end));
  return suffix === undefined ? stem : stem.slice(0, -suffix.length);
}
