import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { SPARSE, sparseLayers } from '../../../src/methods/sparse/index.js';
import type { Network } from '../../../src/nn/index.js';
import { prepareNetwork } from '../../../src/train/prepare.js';
import { kept, maskNames, numbers, tinyMlp, tinyVit, watch } from './tiny.js';

const chosen = (network: Network, layers: string): string[] =>
  sparseLayers(network, { dense: 'none', layers }).map(({ name }) => name);

/** Parameters that get masks once the methods have changed the network. */
async function masked(network: Network, ...texts: string[]): Promise<string[]> {
  const methods = await combine(texts.map(text => readMethod(text)));
  const prepared = prepareNetwork(network, methods);
  const method = methods.at(-1)!;
  return [...prepared.parameters.values()].filter(p => method.separates!(p)).map(({ name }) => name);
}

it('every method with masks can be told which layers', () => {
  for (const { name, settings } of SPARSE) expect([name, settings.layers?.fallback]).toEqual([name, 'all']);
});

it('of any chosen layers the density is exact to one weight, and no other layer has a mask', async () => {
  const sizes: Readonly<Record<string, number>> = { '0': 36 * 12, '2': 12 * 10, '4': 10 * 2 };
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(Object.keys(sizes), { minLength: 1 }),
      fc.integer({ min: 1, max: 99 }),
      fc.constantFrom(
        'magnitude:at=0,scope=erk',
        'set:interval=1',
        'snip:samples=8',
        'gradual:start=0,end=0.1',
      ),
      async (paths, percent, rule) => {
        const text = `${rule},dense=none,layers=${paths.join('+')},density=${percent / 100}`;
        const [method] = await combine([readMethod(text)]);
        const size = paths.reduce((sum, path) => sum + sizes[path]!, 0);
        let looks = 0;
        await watch(
          method!,
          run => {
            expect(maskNames(run).sort()).toEqual(paths.map(path => `mask/${path}.weight`).sort());
            if (run.update < 1) return;
            expect(kept(run)).toBe(Math.round((percent / 100) * size));
            for (const path of Object.keys(sizes)) {
              const zeros = numbers(run.read(`${path}.weight`)).filter(weight => weight === 0).length;
              if (!paths.includes(path)) expect(zeros).toBe(0);
            }
            looks++;
          },
          { updates: 2 },
        );
        expect(looks).toBe(2);
      },
    ),
    { numRuns: 12 },
  );
});

describe('layers are chosen', () => {
  it('by role and by path, in the order of the network', () => {
    const network = tinyVit();
    const all = chosen(network, 'all');
    expect(chosen(network, 'ffn')).toEqual(all.filter(name => /fc|mlp|linear/.test(name)));
    expect(chosen(network, 'ffn').length).toBe(4);
    expect(chosen(network, 'ffn-in+ffn-out')).toEqual(chosen(network, 'ffn'));
    const path = chosen(network, 'attention-out')[1]!.replace(/\.weight$/, '');
    expect(chosen(network, path)).toEqual([`${path}.weight`]);
  });

  it('with what other methods put in their place', async () => {
    const forms = { 'low-rank:rule=rank,amount=2,layers=ffn': 8, 'dyad:blocks=4,layers=ffn': 8 };
    const plain = await masked(tinyVit(), 'rigl:layers=ffn');
    expect(plain).toHaveLength(4);
    for (const [text, count] of Object.entries(forms)) {
      const names = await masked(tinyVit(), text, 'rigl:layers=ffn');
      expect(names).toHaveLength(count);
      const places = new Set(names.map(name => plain.find(p => name.startsWith(p.replace('weight', '')))));
      expect(places).toEqual(new Set(plain));
      expect(await masked(tinyVit(), text, 'rigl:layers=attention')).toEqual(
        await masked(tinyVit(), 'rigl:layers=attention'),
      );
    }
  });

  it('but those that stay dense stay so', () => {
    expect(() => sparseLayers(tinyMlp(), { dense: 'ends', layers: '0+4' })).toThrow(/no layer is left/);
    expect(sparseLayers(tinyMlp(), { dense: 'last', layers: '0+4' }).map(({ name }) => name)).toEqual([
      '0.weight',
    ]);
  });

  it('and a word or path that chooses none is told', async () => {
    expect(() => chosen(tinyMlp(), 'attention')).toThrow(/"attention" chooses no linear or conv layer/);
    await expect(masked(tinyMlp(), 'rigl:layers=nothing')).rejects.toThrow(/"nothing" chooses no/);
  });

  it('for channels, too: those that go with a layer that is not chosen stay', async () => {
    const hidden = await masked(tinyVit(), 'narrow:layers=ffn');
    expect(hidden.filter(name => name.endsWith('.weight'))).toEqual(
      await masked(tinyVit(), 'rigl:layers=ffn'),
    );
    const all = await masked(tinyVit(), 'narrow');
    expect(all.length).toBeGreaterThan(hidden.length);
    expect(await masked(tinyMlp(), 'narrow:layers=0+2')).toEqual(['0.weight', '0.bias', '2.weight']);
    await expect(masked(tinyMlp(), 'narrow:layers=2')).rejects.toThrow(/no channels that can go/);
  });
});
