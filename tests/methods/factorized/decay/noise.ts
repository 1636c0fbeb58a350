/** Numbers in (−1, 1) without a pattern that gradients could share. */
export const noise = (size: number, seed: number): number[] =>
  Array.from({ length: size }, (_, i) => Math.sin(11 * i * i + 3 * i + 17 * seed));
