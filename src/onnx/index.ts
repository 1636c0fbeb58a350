export type { DecodeLimits, ExternalDataResolver } from './context.js';
export { type DecodeOptions, decodeModel } from './decode.js';
export {
  type EncodeOptions,
  encodeModel,
  encodeToBytes,
  MAX_MODEL_BYTES,
  modelByteLength,
} from './encode.js';
export type { ExternalPlace, ExternalPlaces } from './encode-tensor.js';
export { NEWEST_OPSET, OLDEST_OPSET, upgradeOpset } from './opset/upgrade.js';
export { type ByteSource, MemorySource } from './source.js';
