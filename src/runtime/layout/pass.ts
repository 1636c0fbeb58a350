import type { Model } from '../../graph/model.js';
import type { SessionOptions } from '../options.js';
import { blockedLayout } from './blocked-layout.js';
import { filling } from './filling.js';
import { liftMaskedScores } from './masked-softmax.js';
import { probeBlockedLayout } from './probe.js';
import { multiplyRowSums } from './row-sums.js';
import { splitProjections } from './split-projections.js';
import { tileRows } from './tile-rows.js';

/** Rewrites the model of a finished training step in place. */
export type LayoutPass = (step: { readonly model: Model }) => undefined;

/** What a session takes without a number of threads, on every core; Node 20 does not say how many there are. */
const everyCore = (): number => globalThis.navigator?.hardwareConcurrency ?? 2;

/** Where filling the blocks takes this many times the products, standard operators are faster. */
const MOST_FILLING = 4;

/**
 * What makes training steps fast on this machine's CPU provider, as a pass for the step: the blocked layout where the
 * processor has it and the network is wide enough for it, else standard operators alone. Inputs and outputs stay as they
 * are. The result is for this machine and this run: write the model that it was made from to files, never the step.
 */
export async function layoutPass({
  threads = everyCore(),
}: Pick<SessionOptions, 'threads'> = {}): Promise<LayoutPass> {
  const block = await probeBlockedLayout();
  return ({ model }) => {
    splitProjections(model);
    if (block !== undefined && filling(model.graph, block) < MOST_FILLING) blockedLayout(model, { block });
    liftMaskedScores(model);
    tileRows(model, { threads });
    multiplyRowSums(model);
    return undefined;
  };
}
