import { expect, it } from 'vitest';
import { observe } from '../../src/calibrate/observe.js';
import { findSites } from '../../src/calibrate/sites.js';
import { Figures } from '../../src/compress/cache.js';
import { Layer } from '../../src/compress/layer.js';
import { methodsOf, readOptions } from '../../src/compress/options.js';
import { ByteScale } from '../../src/compress/score.js';
import { scoreLayer } from '../../src/compress/score-layer.js';
import { StudyPool } from '../../src/compress/study-pool.node.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import type { Tensors } from '../../src/runtime/index.js';
import { smallInputs, smallModel } from './small-model.js';

it('finds in threads what this thread finds', async () => {
  const model = smallModel();
  inferShapes(model);
  const sites = findSites(model);
  const settings = readOptions({ maxSize: '30%' });
  const samples: Tensors[] = [];
  for await (const sample of smallInputs(6).samples()) samples.push(sample);
  const pool = (await StudyPool.open(model, sites, settings, undefined, 2, true))!;
  try {
    for await (const group of observe(model, sites, samples, { threads: 1 })) {
      const layers = [...group];
      while (layers.length > 0) {
        const pair = layers.splice(0, pool.workers);
        const found = await Promise.all(pair.map(layer => pool.score(...layer)));
        for (const [i, [site, observation]] of pair.entries()) {
          const figures = new Figures();
          const methods = methodsOf(settings, undefined);
          await scoreLayer(new Layer(site, observation), new ByteScale(site, model), {
            methods,
            settings,
            figures,
          });
          expect(Object.keys(figures.all).length).toBeGreaterThan(20);
          expect(found[i]).toEqual(figures.all);
        }
      }
    }
  } finally {
    await pool.close();
  }
}, 60_000);

it('does not start for models that are done sooner', async () => {
  const model = smallModel();
  const settings = readOptions({ maxSize: '30%' });
  expect(await StudyPool.open(model, findSites(model), settings, undefined, 2)).toBeUndefined();
});
