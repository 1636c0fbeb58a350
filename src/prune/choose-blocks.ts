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
  const distortion = new Distortion(await runSamples(model, samples, threads));
  const chosen: ResidualBlock[] = [];
  while (chosen.length < count) {
    let best: { block: ResidualBlock; distance: number } | undefined;
    for (const block of blocks) {
      if (chosen.includes(block)) continue;
      report(chosen.length, block.name);
      const outputs = await runSamples(withoutBlocks(model, [...chosen, block]).model, samples, threads);
      const distance = outputs.reduce((sum, own, i) => sum + distortion.ofSample(i, own), 0);
      if (!best || distance < best.distance) best = { block, distance };
    }
    chosen.push(best!.block);
  }
  return chosen;
}
