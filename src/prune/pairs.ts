import { type InputVectors, inputVectors } from '../calibrate/second-moment.js';
import { findSites, type Site } from '../calibrate/sites.js';
import type { Model } from '../graph/model.js';
import { readsBias } from './bias.js';
import type { Shrunk } from './remove.js';

/** A layer before and after pruning. */
export interface Pair {
  readonly whole: Site;
  readonly pruned: Site;
  /** Rows and groups of the whole layer that are left. */
  readonly rows: readonly number[];
  readonly groups: readonly number[];
  readonly wide: InputVectors;
  readonly narrow: Pick<InputVectors, 'groups' | 'width'>;
}

/** Wider layers are left as they are: their moments would not fit into memory. */
const MAX_WIDTH = 4096;

/** The layers that can be refit, in the order of the graph. */
export function pairSites(model: Model, { model: pruned, copies, keptOf }: Shrunk): Pair[] {
  const after = new Map(findSites(pruned).map(site => [site.value, site]));
  const pairs: Pair[] = [];
  for (const whole of findSites(model)) {
    const twin = after.get(copies.get(whole.value)!);
    if (!twin || whole.uses.length !== 1 || whole.mixed || !readsBias(whole)) continue;
    const [wide] = inputVectors(whole) ?? [];
    const [narrow] = inputVectors(twin) ?? [];
    if (!wide || !narrow || wide.width > MAX_WIDTH) continue;
    const all = whole.tensor.dims[whole.layout.perm[0]!]!;
    const rows = keptOf(whole.value, whole.layout.perm[0]!) ?? Array.from({ length: all }, (_, i) => i);
    const groups = [...new Set(rows.map(row => Math.floor((row * wide.groups) / all)))];
    if (groups.length === narrow.groups) pairs.push({ whole, pruned: twin, rows, groups, wide, narrow });
  }
  return pairs;
}
