import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';

/**
 * Runs a user's TypeScript or JavaScript file and returns its exports. What it imports from `whittle-nn` is the very
 * package that runs, wherever the file lies.
 */
export async function importUserModule(path: string): Promise<Record<string, unknown>> {
  const jiti = createJiti(import.meta.url, { alias: ownExports() });
  const exports = (await jiti.import(pathToFileURL(path).href)) as Record<string, unknown>;
  // For a file without a default export jiti makes one of all that it exports.
  const { default: made, ...named } = exports;
  const names = Object.keys(named);
  const isNamespace =
    typeof made === 'object' && made !== null && names.length > 0 && names.every(name => name in made);
  return isNamespace ? named : exports;
}

/** Where each subpath of the package lies: the compiled files, or the sources while they run as they are. */
function ownExports(): Record<string, string> {
  const root = new URL('../../', import.meta.url);
  const fromSource = import.meta.url.endsWith('.ts');
  const { name, exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    name: string;
    exports: Record<string, { default: string }>;
  };
  const aliases = Object.entries(exports).flatMap(([subpath, target]): [string, string][] => {
    const file = fromSource
      ? target.default.replace('/dist/', '/src/').replace(/\.js$/, '.ts')
      : target.default;
    const path = fileURLToPath(new URL(file, root));
    return existsSync(path) ? [[name + subpath.slice(1), path]] : [];
  });
  return Object.fromEntries(aliases.sort(([a], [b]) => b.length - a.length));
}
