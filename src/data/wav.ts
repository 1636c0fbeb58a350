import { WhittleError } from '../graph/errors.js';

export interface Wav {
  /** Samples a second. */
  readonly rate: number;
  /** Mono, in −1 … 1; several channels are averaged. */
  readonly samples: Float32Array;
}

const PCM = 1;
const EXTENSIBLE = 0xfffe;

/**
 * Reads a WAV file of 16-bit PCM samples (RIFF; Microsoft and IBM, Multimedia Programming Interface 1.0).
 * @throws WhittleError where it is something else
 */
export function readWav(bytes: Uint8Array, file?: string): Wav {
  const place = file === undefined ? {} : { file };
  const refuse = (what: string) =>
    new WhittleError(`${what} is not read`, {
      ...place,
      hint: 'Convert it: ffmpeg -i INPUT -ar 16000 -ac 1 -c:a pcm_s16le OUTPUT.wav',
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.byteLength < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw refuse('what is no WAV file');
  let format: { channels: number; rate: number } | undefined;
  for (let at = 12; at + 8 <= bytes.byteLength; ) {
    const start = at + 8;
    // Recorders that were cut off leave a length of more than there is.
    const size = Math.min(view.getUint32(at + 4, true), bytes.byteLength - start);
    if (tag(at) === 'fmt ' && size >= 16) {
      const code = view.getUint16(start, true);
      const kind = code === EXTENSIBLE && size >= 26 ? view.getUint16(start + 24, true) : code;
      const bits = view.getUint16(start + 14, true);
      if (kind !== PCM || bits !== 16) throw refuse(`a WAV file of ${bits}-bit samples in format ${kind}`);
      format = { channels: view.getUint16(start + 2, true), rate: view.getUint32(start + 4, true) };
      if (format.channels < 1 || format.rate < 1) throw refuse('a WAV file without channels or rate');
    } else if (tag(at) === 'data') {
      if (!format) throw refuse('a WAV file without a format');
      return { rate: format.rate, samples: mixDown(view, start, size, format.channels) };
    }
    // Chunks begin at even places.
    at = start + size + (size % 2);
  }
  throw refuse('a WAV file without samples');
}

function mixDown(view: DataView, start: number, size: number, channels: number): Float32Array {
  const count = Math.floor(size / (2 * channels));
  return Float32Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += view.getInt16(start + 2 * (i * channels + c), true);
    return sum / (channels * 32768);
  });
}
