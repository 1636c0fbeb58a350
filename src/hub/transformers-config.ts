import type { HubDtype } from './dtypes.js';

type Json = Readonly<Record<string, unknown>>;
const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

/** A `config.json` without what it says about files: a copy of the folder has other ones. */
export function withoutModelFiles(config: unknown): Json {
  const { 'transformers.js_config': own, ...whole } = objectOf(config);
  const { dtype: _, use_external_data_format: __, ...rest } = objectOf(own);
  return { ...whole, ...(Object.keys(rest).length > 0 && { 'transformers.js_config': rest }) };
}

/** A file that was written for transformers.js. */
export interface WrittenModel {
  /** `model`, `decoder_model_merged` … */
  readonly base: string;
  /** `model_quantized.onnx` */
  readonly fileName: string;
  readonly dtype: HubDtype;
  /** Files of external data beside it. */
  readonly externalFiles: number;
}

/**
 * A `config.json` with what transformers.js must know about a file, under `transformers.js_config`: which dtype it takes
 * where none is asked for, and whether there is external data. Other entries stay, and so do those of other files.
 */
export function withModelFile(config: unknown, { base, fileName, dtype, externalFiles }: WrittenModel): Json {
  const whole = objectOf(config);
  const own = objectOf(whole['transformers.js_config']);
  const { dtype: dtypes, use_external_data_format: external, ...rest } = own;
  const known = typeof dtypes === 'string' ? { model: dtypes } : objectOf(dtypes);
  const others = Object.keys(known).filter(name => name !== base);
  const outside = { ...(typeof external === 'object' ? objectOf(external) : {}) };
  delete outside[fileName];
  if (externalFiles > 0) outside[fileName] = externalFiles;
  return {
    ...whole,
    'transformers.js_config': {
      ...rest,
      dtype: base === 'model' && others.length === 0 ? dtype : { ...known, [base]: dtype },
      ...(Object.keys(outside).length > 0 && { use_external_data_format: outside }),
    },
  };
}
