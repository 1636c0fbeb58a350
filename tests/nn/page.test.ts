import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/index.js';
import * as nn from '../../src/nn/index.js';
import { Network } from '../../src/nn/index.js';
import { run } from './run.js';

const page = readFileSync(new URL('../../docs/nn.md', import.meta.url), 'utf8');
const everything = nn as unknown as Readonly<Record<string, unknown>>;

/** The page's examples that import from `whittle-nn/nn` alone, one after the other. */
const EXAMPLES = [...page.matchAll(/^```ts\nimport \{(.*?)\} from 'whittle-nn\/nn';\n(.*?)^```/gms)].map(
  ([, names, code]) => ({
    names: names!.split(',').map(name => name.trim()),
    // Without types it is JavaScript.
    code: code!.replaceAll('!.', '.'),
  }),
);

/** Runs an example with its imports only. @returns the network that it has built or changed */
function build({ names, code }: (typeof EXAMPLES)[number], before: Network | undefined): unknown {
  const given: Record<string, unknown> = Object.fromEntries(names.map(name => [name, everything[name]]));
  if (!/\bconst network\b/.test(code)) given.network = before;
  const example = new Function(...Object.keys(given), `${code}; return network;`);
  return example(...Object.values(given));
}

async function expectToRun(network: Network): Promise<void> {
  const feeds = network.inputs.map(({ name, dtype, shape }) => {
    const dims = shape!.map(dim => (typeof dim === 'number' ? dim : 2));
    return [name, Tensor.fromNumbers(dtype!, dims, Array(dims.reduce((a, b) => a * b, 1)).fill(1))];
  });
  const outputs = await run(network.toModel(), Object.fromEntries(feeds));
  for (const { name } of network.outputs) {
    expect(outputs[name]!.toFloat32().every(Number.isFinite)).toBe(true);
  }
}

/** Functions of files in a folder of src/nn, as far as the package exports them. */
const functionsOf = (folder: string): string[] =>
  readdirSync(new URL(`../../src/nn/${folder}/`, import.meta.url)).flatMap(file => {
    const source = readFileSync(new URL(`../../src/nn/${folder}/${file}`, import.meta.url), 'utf8');
    return [...source.matchAll(/^export (?:function|const) ([a-z]\w*)/gm)].map(([, name]) => name!);
  });

describe('the page on networks', () => {
  it('has examples that build what ONNX Runtime runs, with their own imports', async () => {
    let network: Network | undefined;
    let built = 0;
    for (const example of EXAMPLES) {
      const result = build(example, network);
      if (!(result instanceof Network)) continue;
      network = result;
      await expectToRun(result);
      built++;
    }
    expect(built).toBeGreaterThanOrEqual(4);
  });

  it('lists every layer with its options, and builds every model', () => {
    const layers = functionsOf('layers').filter(
      name => !['project', 'convolve', 'headWidth', 'patchesPerSide'].includes(name),
    );
    expect(layers.length).toBeGreaterThan(25);
    expect(layers.filter(name => !page.includes(`\`${name}`))).toEqual([]);
    const models = functionsOf('models');
    expect(models.length).toBe(10);
    expect(models.filter(name => !new RegExp(`^${name}\\(\\{.*\\}\\);$`, 'm').test(page))).toEqual([]);
  });
});
