import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { crc32c } from './crc32c.js';

/**
 * TensorBoard's event files: TFRecords, each an `Event` message of event.proto. Only scalars and the mark of a restart
 * are written.
 * https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto
 */

/** The first record of every file. */
export const versionRecord = (seconds: number): Uint8Array =>
  record(event(seconds, 0).tag(3, 2).string('brain.Event:2'));

/** Figures of one step. */
export function scalarRecord(
  seconds: number,
  step: number,
  values: Readonly<Record<string, number>>,
): Uint8Array {
  const writer = event(seconds, step).tag(5, 2).fork(); // summary
  for (const [tag, value] of Object.entries(values)) {
    writer.tag(1, 2).fork().tag(1, 2).string(tag).tag(2, 5).float(value).join();
  }
  return record(writer.join());
}

/** Tells TensorBoard to forget what an interrupted run wrote of this step and later ones. */
export const restartRecord = (seconds: number, step: number): Uint8Array =>
  record(event(seconds, step).tag(7, 2).fork().tag(1, 0).int32(1).join());

const event = (seconds: number, step: number): BinaryWriter =>
  new BinaryWriter().tag(1, 1).double(seconds).tag(2, 0).int64(step);

/** Length, its checksum, the data, their checksum; little-endian. */
function record(writer: BinaryWriter): Uint8Array {
  const data = writer.finish();
  const bytes = new Uint8Array(16 + data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** TFRecord rotates and shifts checksums, so that data that hold checksums are safe themselves. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
