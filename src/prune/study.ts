import { observe } from '../calibrate/observe.js';
import { inputVectors } from '../calibrate/second-moment.js';
import { findSites, type Site } from '../calibrate/sites.js';
import type { EndToEnd } from '../compress/end-to-end.js';
import type { PhaseClock } from '../compress/phases.js';
import type { Sample } from '../data/sample.js';
import type { Model } from '../graph/model.js';
import { type Consumer, findConsumers } from './consumers.js';
import type { ChannelGroup, Groups } from './groups.js';
import { type RemovalCurve, stepsOf } from './importance/curve.js';
import { magnitudeCurve } from './importance/magnitude.js';
import { openReaders, type Reader, reconstructionCurve } from './importance/reconstruction.js';
import { taylorCurve, taylorScores } from './importance/taylor.js';

/** How channels are ranked. */
export type Importance = 'reconstruction' | 'taylor' | 'magnitude';

export interface StudyOptions {
  readonly importance: Importance;
  /** Sizes that are left are multiples of this. */
  readonly round: number;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly clock: PhaseClock;
}

/** Bytes that the moments and inverses of the groups studied together may take. */
const BATCH_BYTES = 600e6;

/** Where on its curve a group is probed: about a quarter gone. */
const PROBED = 0.25;

/**
 * For each group the order in which its channels go best, and what that does to the model's outputs. With `endToEnd`
 * errors of layers are scaled to what they do to the outputs, measured once for each group. Groups that no layer with a
 * weight sums over have no error to reconstruct and are left out.
 */
export async function studyGroups(
  model: Model,
  found: Groups,
  groups: readonly ReadGroup[],
  samples: readonly Sample[],
  endToEnd: EndToEnd | undefined,
  { importance, round, seed, threads, signal, clock }: StudyOptions,
): Promise<RemovalCurve[]> {
  const stepped = groups.flatMap(({ group }) => {
    const steps = stepsOf(group, round);
    return steps.length > 0 ? [{ group, steps }] : [];
  });
  if (importance === 'magnitude') return stepped.map(({ group, steps }) => magnitudeCurve(group, steps));
  if (importance === 'taylor') {
    const onSample = clock.start('prune study', samples.length);
    const scores = await taylorScores(model, found, samples, { seed, threads, signal, onSample });
    return stepped.map(({ group, steps }) => taylorCurve(group, steps, scores));
  }
  const curves: RemovalCurve[] = [];
  const report = clock.start('prune study', groups.length);
  for (const batch of batches(groups.filter(({ read }) => read.length > 0))) {
    const sites = [...new Set(batch.flatMap(({ read }) => read.map(({ site }) => site)))];
    const readers = new Map<Consumer, Reader[]>();
    for await (const seen of observe(model, sites, samples, { threads, memory: Number.POSITIVE_INFINITY })) {
      for (const consumer of new Set(batch.flatMap(({ read }) => read))) {
        const observation = seen.get(consumer.site);
        if (observation) readers.set(consumer, openReaders(consumer, observation.moment));
      }
    }
    for (const { group, read } of batch) {
      report(curves.length, group.name);
      const steps = stepsOf(group, round);
      const wanted = steps.findIndex(step => step >= PROBED * group.size);
      const probe = wanted < 0 ? steps.length - 1 : wanted;
      const curve = reconstructionCurve(
        group,
        steps,
        read.flatMap(own => readers.get(own)!),
        probe,
      );
      const measured = endToEnd && (await endToEnd.measure(curve.weights));
      const scale = measured === undefined ? 1 : measured / Math.max(curve.errors[probe]!, 1e-12);
      curves.push({
        group,
        order: curve.order,
        steps,
        errors: curve.errors.map(error => error * scale),
      });
    }
  }
  return curves;
}

/** A group with the layers that sum over its channels. */
export interface ReadGroup {
  readonly group: ChannelGroup;
  readonly read: readonly Consumer[];
}

export function readersOf(
  model: Model,
  { dependencies }: Groups,
  groups: readonly ChannelGroup[],
): ReadGroup[] {
  const consumers = findConsumers(findSites(model), dependencies);
  return groups.map(group => {
    const atoms = new Set(group.atoms);
    return {
      group,
      read: consumers.filter(({ columns }) => columns.some(own => own.some(atom => atoms.has(atom)))),
    };
  });
}

/** Groups whose layers' moments fit into memory together. */
function* batches(groups: readonly ReadGroup[]): Generator<ReadGroup[]> {
  let batch: ReadGroup[] = [];
  let seen = new Set<Site>();
  let room = BATCH_BYTES;
  for (const studied of groups) {
    const fresh = studied.read.filter(({ site }) => !seen.has(site));
    const bytes = fresh.reduce((sum, { site }) => sum + momentBytes(site), 0);
    if (batch.length > 0 && bytes > room) {
      yield batch;
      [batch, seen, room] = [[], new Set(), BATCH_BYTES];
    }
    batch.push(studied);
    for (const { site } of studied.read) seen.add(site);
    room -= bytes;
  }
  if (batch.length > 0) yield batch;
}

/** The second moment, one sample's sum and the inverse. */
const momentBytes = (site: Site): number =>
  (inputVectors(site) ?? []).reduce((sum, { width, groups }) => sum + 20 * groups * width * width, 0);
