import { namesOf, type Site } from '../calibrate/sites.js';
import { findNonFinite } from '../graph/check-finite.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { type CompressOptions, selects } from './options.js';

/** @throws WhittleError naming a pattern that no layer matches: a slip of the pen would compress what was to be spared */
export function refuseIdlePatterns(
  model: Model,
  sites: readonly Site[],
  { include = [], exclude = [] }: Pick<CompressOptions, 'include' | 'exclude'>,
): void {
  const idle = [...include, ...exclude].find(
    pattern => !sites.some(site => selects(namesOf(site), { include: [pattern] })),
  );
  if (idle === undefined) return;
  throw new WhittleError(`no layer has a name like "${idle}"`, {
    ...(model.path !== undefined && { file: model.path }),
    hint: 'whittle inspect lists the weights that can be compressed; * stands for anything',
  });
}

/** @throws WhittleError naming the first weight of these sites with NaN or infinite elements */
export function refuseNonFinite(model: Model, sites: readonly Site[]): void {
  const names = new Map(sites.map(site => [site.value.name, site]));
  for (const { value, nan, infinite, first } of findNonFinite(model)) {
    const site = names.get(value);
    if (!site) continue;
    const what = nan > 0 ? `${nan} NaN` : `${infinite} infinite`;
    throw new WhittleError(
      `a weight has ${what} element${(nan || infinite) === 1 ? '' : 's'}, the first at position ${first}`,
      {
        ...(model.path !== undefined && { file: model.path }),
        node: site.uses[0]!.node.label,
        value,
        hint: `Such a layer gives no meaningful output. Export the model again, or leave the layer out with --exclude '${value}'`,
      },
    );
  }
}
