import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface PatchOptions {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
}

/**
 * The pixels of each patch as a token, all channels of a pixel side by side.
 * @param images (batch, channels, imageSize, imageSize)
 * @returns (batch, patches, patchSize² · channels), patches row by row
 * @throws WhittleError where patches do not tile the image
 */
export function patchTokens(scope: Scope, images: Value, options: PatchOptions): Value {
  const { patchSize, channels } = options;
  const side = patchesPerSide(options);
  const tiles = scope.reshape(images, 0, channels, side, patchSize, side, patchSize);
  const patches = scope.transpose(tiles, 0, 2, 4, 3, 5, 1);
  return scope.reshape(patches, 0, side * side, patchSize * patchSize * channels);
}

/** @throws WhittleError where patches do not tile the image */
export function patchesPerSide({ imageSize, patchSize }: Omit<PatchOptions, 'channels'>): number {
  checkSizes({ imageSize, patchSize });
  const side = imageSize / patchSize;
  if (Number.isInteger(side)) return side;
  throw new WhittleError(`patches of ${patchSize} do not tile an image of ${imageSize}`, {
    hint: 'Choose a patch size that divides the image size',
  });
}
