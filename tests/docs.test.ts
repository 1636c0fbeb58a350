import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { whittle } from './cli/capture.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const markdown = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => `${folder}/${name}`);
const pages = ['README.md', ...markdown('docs'), ...markdown('examples')].map(file => ({
  file,
  text: readFileSync(join(root, file), 'utf8'),
}));

/** Code in the text: fenced blocks, line by line, and spans. */
const codeOf = (text: string): string[] =>
  [
    ...[...text.matchAll(/^```(?:sh|)\n(.*?)^```/gms)].flatMap(([, block]) => block!.split('\n')),
    ...[...text.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!),
  ].map(line => line.replace(/\s#.*$/, ''));

describe.each(pages)('$file', ({ file, text }) => {
  it('links to what is there', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!.replace(/#.*$/, ''));
    const local = links.filter(target => target !== '' && !/^https?:/.test(target));
    expect(local.filter(target => !existsSync(resolve(root, dirname(file), target)))).toEqual([]);
  });

  it('names options, scripts and files that exist', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const wrong: string[] = [];
    for (const line of codeOf(text)) {
      const [, script] = /\bnpm run (?:--silent )?([\w:]+)/.exec(line) ?? [];
      if (script !== undefined && !(script in scripts)) wrong.push(line);
      const paths = line.match(/(?<![\w./-])(?:bench|docs|examples|scripts|src|tests)\/[\w./-]+\.\w+/g) ?? [];
      wrong.push(...paths.filter(path => !/\bNAME\b/.test(path) && !existsSync(join(root, path))));
      const [, verb, rest] = /^(?:npx )?whittle ([a-z]+)\b(.*)/.exec(line) ?? [];
      if (verb === undefined) continue;
      const { code, out } = await whittle([verb, '--help'], { width: 100 });
      const known = new Set(out.match(/--[a-z-]+|(?<=\s)-[a-z]\b/g));
      const given = rest!.replaceAll(/'[^']*'/g, '').match(/(?<=\s)(?:--[a-z-]+|-[a-z])(?![\w-])/g) ?? [];
      if (code !== 0 || given.some(option => !known.has(option))) wrong.push(line);
    }
    expect(wrong).toEqual([]);
  });
});

/** Stands for what an example leaves out. */
const OMITTED = 'OMITTED';
/** A name that the reader has to supply: not found, or not found as a shorthand. */
const UNKNOWN_NAME = /TS(?:2304|2552|18004)\b/;

/**
 * The blocks of a page as modules. What a block does not import itself, it may use from the imports of those before;
 * a path in its first line says where it stands.
 */
function modulesOf(file: string, text: string): [name: string, code: string][] {
  const imported = new Map<string, string>();
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, block], i) => {
    const body = block!
      .replaceAll(/([,{([]\s*)…(?=\s*[,})\]])/g, `$1...${OMITTED}`)
      .replaceAll('…', OMITTED)
      .replaceAll(/from '(\.[^']+)'/g, (_, path: string) => {
        const [, place = file] = /^\/\/ (\S+)/.exec(block!) ?? [];
        return `from '${join(root, dirname(place), path)}'`;
      });
    const own = new Set(
      [...body.matchAll(/^(?:import|const|let|function|class) .*$/gm)].flatMap(
        ([line]) => line.match(/\w+/g)!,
      ),
    );
    const earlier = [...imported]
      .filter(([name]) => !own.has(name) && new RegExp(`\\b${name}\\b`).test(body))
      .map(([name, from]) => `import { ${name} } from '${from}';`);
    for (const [, names, from] of body.matchAll(/^import \{(.*?)\} from '(.*?)'/gms)) {
      for (const name of names!.match(/\b(?!type\b)\w+/g) ?? []) imported.set(name, from!);
    }
    const code = [...earlier, body, `declare const ${OMITTED}: any;`, 'export {};'].join('\n');
    return [`${file.replaceAll('/', '_')}-${i + 1}.ts`, code];
  });
}

it('the TypeScript in the pages has the right types, as far as it goes', async () => {
  // Inside of the project, so that packages are found.
  await mkdir(join(root, 'out'), { recursive: true });
  const folder = await mkdtemp(join(root, 'out', 'docs-'));
  try {
    const modules = pages.flatMap(({ file, text }) => modulesOf(file, text));
    expect(modules.length).toBeGreaterThan(30);
    for (const [name, code] of modules) await writeFile(join(folder, name), code);
    const compilerOptions = { noUnusedLocals: false, noImplicitAny: false, allowImportingTsExtensions: true };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'], exclude: [] }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const output = await new Promise<string>(done => {
      execFile(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], (_error, stdout, stderr) =>
        done(stdout + stderr),
      );
    });
    expect(output.split('\n').filter(line => line !== '' && !UNKNOWN_NAME.test(line))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 300_000);
