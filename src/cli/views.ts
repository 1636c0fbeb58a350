import sharp from 'sharp';
import type { CompressReport } from '../compress/report.js';
import type { Sample } from '../data/sample.js';
import type { Tensor } from '../graph/tensor.js';

/** Inputs of more pixels than these are shrunk: a page with a few of them is still one that can be mailed. */
const MAX_SIDE = 240;
/** Smaller than this is no picture. */
const MIN_SIDE = 8;

/** Turns the token ids of a text input back into text. */
export type Decode = (ids: number[]) => string;

/**
 * How the verification inputs look on which the outputs agree least: as `data:` URLs where an input is an image, as
 * text where it is one and `decode` is given. By index.
 */
export async function viewInputs(
  samples: readonly Sample[],
  { verification }: CompressReport,
  decode?: Decode,
): Promise<Map<number, { image?: string; text?: string }>> {
  const wanted = new Set(verification.outputs.flatMap(({ worst }) => worst.map(({ sample }) => sample)));
  const views = new Map<number, { image?: string; text?: string }>();
  for (const index of wanted) {
    const tensors = Object.values(samples[index] ?? {});
    const image = tensors.length === 1 ? await drawImage(tensors[0]!) : undefined;
    const text = image === undefined && decode ? readText(tensors, decode) : undefined;
    if (image !== undefined) views.set(index, { image });
    else if (text !== undefined) views.set(index, { text });
  }
  return views;
}

/** A (1, channels, height, width) or (1, height, width, channels) tensor as a PNG, its values stretched to 0 … 255. */
async function drawImage(tensor: Tensor): Promise<string | undefined> {
  const { dims } = tensor;
  const channelsFirst = dims.length === 4 && isChannels(dims[1]!);
  if (dims.length !== 4 || dims[0] !== 1 || (!channelsFirst && !isChannels(dims[3]!))) return undefined;
  const [channels, height, width] = (
    channelsFirst ? [dims[1], dims[2], dims[3]] : [dims[3], dims[1], dims[2]]
  ) as [number, number, number];
  if (height < MIN_SIDE || width < MIN_SIDE) return undefined;
  const values = tensor.toNumbers();
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = 255 / (high - low || 1);
  const area = height * width;
  const pixels = new Uint8Array(area * channels);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < channels; c++) {
      const value = channelsFirst ? values[c * area + i]! : values[i * channels + c]!;
      pixels[i * channels + c] = Math.round((value - low) * scale);
    }
  }
  const png = await sharp(pixels, { raw: { width, height, channels: channels as 1 | 3 } })
    .resize({ width: MAX_SIDE, height: MAX_SIDE, fit: 'inside', withoutEnlargement: true })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}

const isChannels = (dim: number): boolean => dim === 1 || dim === 3;

/** The first input of whole numbers in two dimensions is taken for the token ids. */
function readText(tensors: readonly Tensor[], decode: Decode): string | undefined {
  const ids = tensors.find(({ dtype, dims }) => /^int(32|64)$/.test(dtype) && dims.length === 2);
  return ids && decode(ids.toNumbers().map(Number));
}
