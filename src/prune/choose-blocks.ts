import { Distortion } from '../compress/distortion.js';
import type { Sample } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { runSamples } from '../runtime/index.js';
import { findBlocks, type ResidualBlock, withoutBlocks } from './blocks.js';

/**
 * The residual blocks that a model can best do without: one after the other, each time the one whose removal changes the
 * outputs least, measured on the samples.
 * @throws WhittleError where the model has fewer blocks
 */
export async function chooseBlocks(
  model: Model,
  count: number,
  samples: readonly Sample[],
  threads: number | undefined,
  report: (done: number, detail?: string) => void,
): Promise<ResidualBlock[]> {
  const blocks = findBlocks(model);
  if (count > blocks.length) {
    throw new WhittleError(`the model has ${blocks.length} residual blocks that can go, not ${count}`, {
      hint: 'whittle inspect --groups lists them',
    });
  }
  const distanceWithout = await removals(model, samples, threads);
  const chosen: ResidualBlock[] = [];
  while (chosen.length < count) {
    let best: { block: ResidualBlock; distance: number } | undefined;
    for (const block of blocks) {
      if (chosen.includes(block)) continue;
      report(chosen.length, block.name);
      const distance = await distanceWithout([...chosen, block]);
      if (!best || distance < best.distance) best = { block, distance };
    }
    chosen.push(best!.block);
  }
  return chosen;
}

/** A block that saves less than this share of the time does not go for it: that may be chance. */
const LEAST_SAVED = 0.02;

/**
 * Blocks without which a model is fast enough: one after the other, each time the one whose removal changes the outputs
 * least for the time it saves; then those come back that the time does not need gone.
 * @param timeOf a model's time, as a share of the original's
 * @returns `undefined` where all blocks together do not save enough
 */
export async function chooseBlocksForTime(
  model: Model,
  longest: number,
  { samples, threads, timeOf }: BlocksForTime,
  report: (done: number, detail?: string) => void,
): Promise<ResidualBlock[] | undefined> {
  const blocks = findBlocks(model);
  const distanceWithout = await removals(model, samples, threads);
  let chosen: ResidualBlock[] = [];
  let time = await timeOf(model);
  let distance = 0;
  while (time > longest) {
    let best: { block: ResidualBlock; price: number; time: number; distance: number } | undefined;
    for (const block of blocks) {
      if (chosen.includes(block)) continue;
      report(chosen.length, block.name);
      const left = await timeOf(withoutBlocks(model, [...chosen, block]).model);
      if (time - left < LEAST_SAVED) continue;
      const moved = await distanceWithout([...chosen, block]);
      // What is saved beyond the bound is worth nothing.
      const price = (moved - distance) / (time - Math.max(left, longest));
      if (!best || price < best.price) best = { block, price, time: left, distance: moved };
    }
    if (!best) return undefined;
    chosen.push(best.block);
    ({ time, distance } = best);
  }
  // The last one may save so much that an earlier one need not go: that which is missed most comes back first.
  for (;;) {
    let best: { rest: ResidualBlock[]; distance: number } | undefined;
    for (const block of chosen) {
      const rest = chosen.filter(other => other !== block);
      if (rest.length === 0 || (await timeOf(withoutBlocks(model, rest).model)) > longest) continue;
      const left = await distanceWithout(rest);
      if (left < distance && (!best || left < best.distance)) best = { rest, distance: left };
    }
    if (!best) return chosen;
    chosen = best.rest;
    distance = best.distance;
  }
}

export interface BlocksForTime {
  readonly samples: readonly Sample[];
  readonly threads: number | undefined;
  readonly timeOf: (model: Model) => Promise<number>;
}

/** How far the outputs move without some blocks, the mean over the samples. */
async function removals(
  model: Model,
  samples: readonly Sample[],
  threads: number | undefined,
): Promise<(blocks: readonly ResidualBlock[]) => Promise<number>> {
  const distortion = new Distortion(await runSamples(model, samples, threads));
  return async blocks => {
    const outputs = await runSamples(withoutBlocks(model, blocks).model, samples, threads);
    return outputs.reduce((sum, own, i) => sum + distortion.ofSample(i, own), 0) / samples.length;
  };
}
