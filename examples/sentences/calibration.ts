/** Calibration inputs of this example, for `--calibration examples/sentences/calibration.ts`: mails. */
import { type InputSource, indexedSource } from 'whittle-nn/data';
import { mailSample, mails } from './mails.js';

export default function inputs(): InputSource {
  const some = mails('calibration', 260);
  return indexedSource({ description: `${some.length} mails` }, some.length, i => mailSample(some[i]!));
}
