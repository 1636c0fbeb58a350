import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { formatShape, type InputSource, indexedSource, type Signature, type TensorInfo } from './sample.js';
import { readWav } from './wav.js';

export const AUDIO_EXTENSIONS: readonly string[] = ['.wav'];

/** How sounds become a model's input. */
export interface AudioOptions {
  /** Samples a second that the model wants; files of another rate are refused. Default: whatever the files have. */
  readonly samplingRate?: number;
  /** Bring each clip to mean 0 and variance 1, as wav2vec2 wants it; default no. */
  readonly normalize?: boolean;
}

/** Longer clips are cut: attention over minutes fills any memory. */
const MAX_SECONDS = 30;

/**
 * 16-bit WAV files as inputs of a model that takes a waveform, [1, samples] or [1, 1, samples], one sample each; where
 * the model fixes the length, clips are cut or filled up with silence.
 * @throws WhittleError where the model takes something else (a spectrogram, states), or a file's rate does not fit
 */
export function audioInputs(
  paths: readonly string[],
  signature: Signature,
  { samplingRate, normalize = false }: AudioOptions = {},
): InputSource {
  const input = waveformInput(signature);
  const rank = input.shape!.length;
  const fixed = input.shape!.at(-1);
  const about = {
    description: `${paths.length} sound${paths.length === 1 ? '' : 's'} (${basename(paths[0] ?? '')}${paths.length > 1 ? ', …' : ''})`,
    notes:
      samplingRate === undefined
        ? ['Assumed for sounds: the rate of the files is what the model wants.']
        : [],
  };
  return indexedSource(about, paths.length, async index => {
    const file = paths[index]!;
    const { rate, samples } = readWav(await readFile(file), file);
    if (samplingRate !== undefined && rate !== samplingRate) {
      throw new WhittleError(`the sound has ${rate} samples a second, the model wants ${samplingRate}`, {
        file,
        hint: `Convert it: ffmpeg -i INPUT -ar ${samplingRate} -ac 1 -c:a pcm_s16le OUTPUT.wav`,
      });
    }
    if (samples.length === 0) throw new WhittleError('the sound is empty', { file });
    const length = typeof fixed === 'number' ? fixed : Math.min(samples.length, MAX_SECONDS * rate);
    const clip = new Float32Array(length);
    const heard = samples.subarray(0, length);
    clip.set(normalize ? standardize(heard) : heard);
    return { [input.name]: Tensor.float32([...new Array<number>(rank - 1).fill(1), length], clip) };
  });
}

/** As wav2vec2's feature extractor: the variance gets 1e-7 so that silence stays finite. */
function standardize(samples: Float32Array): Float32Array {
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length;
  const variance = samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length;
  return samples.map(x => (x - mean) / Math.sqrt(variance + 1e-7));
}

function waveformInput(signature: Signature): TensorInfo {
  const required = signature.filter(info => !info.optional);
  const [input] = required;
  const open = (dim: unknown) => typeof dim !== 'number' || dim === 1;
  const fits =
    input?.dtype === 'float32' &&
    input.shape !== undefined &&
    input.shape.length >= 1 &&
    input.shape.length <= 3 &&
    input.shape.slice(0, -1).every(open) &&
    input.shape.at(-1) !== 1;
  if (required.length !== 1 || !fits) {
    throw new WhittleError('sounds can feed a model whose one input is a waveform, [1, samples]', {
      hint: `This one takes ${required.map(i => `${i.name} ${i.dtype} ${formatShape(i.shape)}`).join(', ')}: give a folder of .npz files`,
    });
  }
  return input;
}
