import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import type { ChannelGroup, Groups } from './groups.js';

const QUANTIZED =
  /^(DequantizeLinear|QLinear|ConvInteger|MatMulInteger|MatMulNBits|DynamicQuantize|GatherBlockQuantized)/;

/** @throws WhittleError that says why nothing can be removed, where nothing can */
export function refuseUnprunable(
  model: Model,
  { groups, refused }: Groups,
  chosen: readonly ChannelGroup[],
): void {
  if (chosen.length > 0) return;
  const file = model.path === undefined ? {} : { file: model.path };
  if (groups.some(group => group.approximate === undefined)) {
    throw new WhittleError('no group of channels is left to prune', {
      ...file,
      hint: 'Check --include and --exclude',
    });
  }
  if ([...model.graph.allNodes()].some(node => QUANTIZED.test(node.opType))) {
    throw new WhittleError('the weights of this model are stored as integers already, and cannot be pruned', {
      ...file,
      hint: 'Prune the float model first, then compress the result',
    });
  }
  const reasons = new Map<string, number>();
  for (const { reason } of refused) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const [most] = [...reasons].sort((a, b) => b[1] - a[1]);
  throw new WhittleError('no channel of this model can be proved to be removable', {
    ...file,
    hint: most
      ? `Mostly because: ${most[0]}. whittle inspect --groups shows all reasons`
      : 'Its weights lie in subgraphs, or it has none',
  });
}
