import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

/** Place of each folder of src in the table of the page, from the top. */
const rooms = new Map(
  [...page.matchAll(/^\| (`src\/.*?) *\|/gm)].flatMap(([, cell], row) =>
    [...cell!.matchAll(/`src\/(\w+)\/`/g)].map(([, name]): [string, number] => [name!, row]),
  ),
);

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map(file => file.replaceAll('\\', '/'))
  .filter(file => file.endsWith('.ts') && !file.includes('/assembly/'));

/** What a file imports or hands on: modules of packages as they are written, files of ours from src on. */
const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(root, 'src', file), 'utf8').matchAll(
      /^(?:import|export)\b[^'"`;]*?\bfrom '(.*?)'|^import '(.*?)'|(?<!typeof )\bimport\(\s*'(.*?)'/gm,
    ),
  ]
    .map(([, from, bare, dynamic]) => (from ?? bare ?? dynamic)!)
    .map(target =>
      target.startsWith('.')
        ? relative('.', join(dirname(file), target))
            .replaceAll('\\', '/')
            .replace(/\.js$/, '.ts')
        : target,
    );

const imports = sources.flatMap(file => importsOf(file).map(target => ({ file, target })));
const show = ({ file, target }: { file: string; target: string }) => `${file} imports ${target}`;

describe('the page on the architecture', () => {
  it('lists each folder of src once', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter(e => e.isDirectory());
    expect([...rooms.keys()].sort()).toEqual(folders.map(({ name }) => name).sort());
  });

  it('is right that imports point to the top of its list, but for versions of a compression', () => {
    const between = imports.filter(({ file, target }) => {
      const [from, to] = [file.split('/')[0]!, target.split('/')[0]!];
      return rooms.has(from) && rooms.has(to);
    });
    expect(between.length).toBeGreaterThan(1000);
    const downwards = between.filter(
      ({ file, target }) => rooms.get(target.split('/')[0]!)! > rooms.get(file.split('/')[0]!)!,
    );
    expect(downwards.filter(({ file }) => !file.startsWith('compress/versions/')).map(show)).toEqual([]);
    expect(downwards.every(({ target }) => target.startsWith('prune/'))).toBe(true);
  });

  it('is right that what only Node has stands in files named for it', () => {
    const outside = imports.filter(({ file }) => !file.endsWith('.node.ts') && !file.startsWith('cli/'));
    expect(outside.filter(({ target }) => target.startsWith('node:')).map(show)).toEqual([]);
    // Other files reach them only where the browser has a twin.
    const reached = outside.filter(({ target }) => target.endsWith('.node.ts'));
    expect(reached.length).toBeGreaterThan(0);
    const { browser } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      browser: Record<string, string>;
    };
    expect(reached.filter(({ target }) => !(`./src/${target}` in browser)).map(show)).toEqual([]);
    for (const [node, web] of Object.entries(browser)) {
      expect(web).toBe(node.replace('.node.', '.web.'));
      if (node.startsWith('./src/'))
        expect(existsSync(join(root, node)) && existsSync(join(root, web))).toBe(true);
    }
  });
});
