/** Steps of a factor 2^(1/4), from 2^−10 to all: shares are found to 19%. */
const PER_HALVING = 4;
const HALVINGS = 10;

export const SHARE_LEVELS = PER_HALVING * HALVINGS + 1;

/** The share of a level, 1 for the last. */
export const shareAt = (level: number): number => 2 ** (level / PER_HALVING - HALVINGS);
