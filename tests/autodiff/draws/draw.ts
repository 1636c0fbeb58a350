import type { Case } from '../check.js';
import type { Random } from '../random.js';

/** Draws a case; the random numbers decide shapes and attributes. */
export type Draw = (random: Random) => Case;

export type Draws = Readonly<Record<string, Draw>>;

/** A shape that broadcasts with `shape`: leading axes left out, some sizes 1. */
export function broadcastable(random: Random, shape: readonly number[]): number[] {
  const rank = random.integer(0, shape.length);
  return shape.slice(shape.length - rank).map(size => (random.uniform() < 0.3 ? 1 : size));
}

/** Sizes from 0 to 3, zero seldom. */
export const sizes = (random: Random, rank: number): number[] =>
  Array.from({ length: rank }, () => (random.uniform() < 0.1 ? 0 : random.integer(1, 3)));

/** A size from 1 to `high`, or seldom 0. */
export const few = (random: Random, high: number): number =>
  random.uniform() < 0.15 ? 0 : random.integer(1, high);

export const half = (random: Random): boolean => random.uniform() < 0.5;

export function subset(random: Random, rank: number): number[] {
  return Array.from({ length: rank }, (_, i) => i).filter(() => half(random));
}

export function shuffled(random: Random, rank: number): number[] {
  const perm = Array.from({ length: rank }, (_, i) => i);
  for (let i = rank - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [perm[i], perm[j]] = [perm[j]!, perm[i]!];
  }
  return perm;
}

export const integers = (random: Random, count: number, low: number, high: number): number[] =>
  Array.from({ length: count }, () => random.integer(low, high));

export const count = (dims: readonly number[]): number => dims.reduce((p, d) => p * d, 1);

/** Numbers for a shape that differ by more than a finite difference moves them, so that their order stays. */
export const apart = (random: Random, dims: readonly number[]): number[] =>
  shuffled(random, count(dims)).map(place => (place + 1) / 16);
