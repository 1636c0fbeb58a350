import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** Makes a model and its data, and returns a function that runs one step. */
export type Steps = Readonly<Record<string, () => () => Promise<void> | void>>;

/**
 * The other end of `Peer`: says the version of a package, then answers each request with the time of a step, the mean
 * of several. Models are made, and run once, at the first request.
 */
export async function serve(packageName: string, models: Steps): Promise<void> {
  console.log(JSON.stringify({ version: versionOf(packageName), models: Object.keys(models) }));
  const made = new Map<string, () => Promise<void> | void>();
  for await (const line of createInterface({ input: process.stdin })) {
    const { model, steps, cpu } = JSON.parse(line) as { model: string; steps: number; cpu: boolean };
    const known = made.get(model);
    const step = known ?? models[model]!();
    if (!known) await step();
    made.set(model, step);
    const [usage, start] = [process.cpuUsage(), performance.now()];
    for (let i = 0; i < steps; i++) await step();
    const { user, system } = process.cpuUsage(usage);
    const ms = cpu ? (user + system) / 1000 : performance.now() - start;
    console.log(JSON.stringify({ ms: ms / steps }));
  }
}

/** Packages need not export their description: it lies above their main file. */
function versionOf(name: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  while (!folder.endsWith(name)) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}
