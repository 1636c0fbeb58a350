import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeAtomically } from '../../src/onnx/atomic-write.node.js';
import { temporaryPath } from '../../src/onnx/temporary-file.node.js';

let scripts: string;
let folder: string;
beforeEach(() => {
  scripts = mkdtempSync(join(tmpdir(), 'whittle-temporary-'));
  folder = join(scripts, 'models');
  mkdirSync(folder);
});
afterEach(() => rmSync(scripts, { recursive: true }));

const write = (path: string, text = 'new') =>
  writeAtomically([{ path, chunks: () => [Buffer.from(text), Buffer.from(text)] }]);

/** A process that is killed in the middle of writing the file. */
async function killedWriter(path: string): Promise<void> {
  const writer = fileURLToPath(new URL('../../src/onnx/atomic-write.node.ts', import.meta.url));
  const jiti = fileURLToPath(new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url));
  const script = join(scripts, 'killed.ts');
  writeFileSync(
    script,
    `import { writeAtomically } from ${JSON.stringify(writer)};
    function* chunks() { yield Buffer.from('half'); process.kill(process.pid, 'SIGKILL'); }
    await writeAtomically([{ path: ${JSON.stringify(path)}, chunks }]);`,
  );
  await once(spawn(process.execPath, [jiti, script], { stdio: 'ignore' }), 'exit');
}

it('of a killed writer goes when the same file is written again', async () => {
  const path = join(folder, 'm.onnx');
  await killedWriter(path);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.m\.onnx\..*\.tmp$/)]);
  await write(join(folder, 'other.onnx'));
  expect(readdirSync(folder)).toHaveLength(2);
  await write(path);
  expect(readdirSync(folder).sort()).toEqual(['m.onnx', 'other.onnx']);
  expect(readFileSync(path, 'utf8')).toBe('newnew');
});

it('of a writer that runs stays', async () => {
  const path = join(folder, 'm.onnx');
  await Promise.all(['a', 'b', 'c'].map(text => write(path, text)));
  expect(readdirSync(folder)).toEqual(['m.onnx']);
  const running = temporaryPath(path).replace(`-${process.pid}-`, `-${process.ppid}-`);
  writeFileSync(running, '');
  await write(path);
  expect(readdirSync(folder)).toHaveLength(2);
});

it('of another machine stays, and whatever only looks like one', async () => {
  const path = join(folder, 'm.onnx');
  await killedWriter(path);
  const left = readdirSync(folder)[0]!;
  const elsewhere = left.replace(/\.onnx\.[0-9a-f]{8}-/, '.onnx.00000000-');
  renameSync(join(folder, left), join(folder, elsewhere));
  const mine = `${left}.bak`;
  writeFileSync(join(folder, mine), '');
  await write(path);
  expect(readdirSync(folder).sort()).toEqual([elsewhere, mine, 'm.onnx'].sort());
});

it('has a name that fits beside any file', async () => {
  const path = join(folder, `${'漢'.repeat(80)}.onnx`);
  await write(path);
  expect(readdirSync(folder)).toHaveLength(1);
});
