/**
 * Compiles src/linalg/assembly to WebAssembly, once plain and once with relaxed SIMD, and writes both as base64 into
 * src/linalg/wasm.generated.ts. With `--if-stale` it does nothing where the file is newer than every source.
 */
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { main as compile } from 'assemblyscript/asc';

const sources = new URL('../src/linalg/assembly/', import.meta.url);
const output = new URL('../src/linalg/wasm.generated.ts', import.meta.url);

/** WebAssembly with SIMD and, if wanted, relaxed SIMD; no JavaScript runtime, no checks of the compiler's own. */
async function build(features) {
  const files = new Map();
  const { error, stderr } = await compile(
    [
      'index.ts',
      '--baseDir',
      fileURLToPath(sources),
      '--outFile',
      'kernels.wasm',
      '--runtime',
      'stub',
      '-O3',
      '--noAssert',
      '--disableWarning',
      '112',
      ...features.flatMap(feature => ['--enable', feature]),
    ],
    { writeFile: (name, contents) => void files.set(name, contents) },
  );
  if (error) throw new Error(`asc failed: ${error.message}\n${stderr}`);
  return files.get('kernels.wasm');
}

async function isFresh() {
  const built = await stat(output).catch(() => undefined);
  if (!built) return false;
  const names = (await readdir(sources)).map(name => new URL(name, sources));
  const times = await Promise.all(
    [...names, new URL(import.meta.url)].map(async file => (await stat(file)).mtimeMs),
  );
  return times.every(time => time <= built.mtimeMs);
}

export async function buildWasm({ ifStale = false } = {}) {
  if (ifStale && (await isFresh())) return;
  const plain = await build(['simd']);
  const relaxed = await build(['simd', 'relaxed-simd']);
  if (!WebAssembly.validate(plain)) throw new Error('the compiled kernels are not valid WebAssembly');
  const text = [
    '// Made by scripts/build-wasm.mjs from src/linalg/assembly; do not edit.',
    `export const PLAIN: string = '${Buffer.from(plain).toString('base64')}';`,
    `export const RELAXED: string = '${Buffer.from(relaxed).toString('base64')}';`,
    '',
  ].join('\n');
  const existing = await readFile(output, 'utf8').catch(() => '');
  const temporary = new URL(`${output.href}.${process.pid}`);
  await writeFile(temporary, text);
  await rename(temporary, output);
  if (existing !== text)
    console.log(`kernels: ${plain.length} bytes plain, ${relaxed.length} bytes relaxed SIMD`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildWasm({ ifStale: process.argv.includes('--if-stale') });
}
