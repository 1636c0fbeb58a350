import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { VERSION } from '../version.js';
import type { Provenance } from './record.js';

/** What runs here. */
export function provenance({ threads, jobs }: { threads: number; jobs: number }): Provenance {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return {
    whittle: VERSION,
    node: process.version.slice(1),
    onnxruntime: version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    threads,
    jobs,
  };
}
