import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '../../../src/graph/model.js';
import { createSession, type Tensors } from '../../../src/runtime/index.js';

/** The operators that ONNX Runtime runs, by its own record. */
export async function executed(model: Model, inputs: Tensors): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-executed-'));
  try {
    const session = await createSession(model, { threads: 1, profile: join(folder, 'p') });
    await session.run(inputs);
    await session.release();
    const [file] = await readdir(folder);
    const events = JSON.parse(await readFile(join(folder, file!), 'utf8')) as {
      name: string;
      args?: { op_name?: string };
    }[];
    return events.flatMap(({ name, args }) => (name.endsWith('_kernel_time') ? [args!.op_name!] : []));
  } finally {
    await rm(folder, { recursive: true });
  }
}
