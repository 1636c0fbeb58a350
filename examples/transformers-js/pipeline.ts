/**
 * Loads a compressed folder with transformers.js, offline, and prints what it says:
 * `npx jiti examples/transformers-js/pipeline.ts FOLDER TEXT [TASK]`.
 */
import { basename, dirname, resolve } from 'node:path';
import { env, type PipelineType, pipeline } from '@huggingface/transformers';

const [folder, text, task = 'text-classification'] = process.argv.slice(2);
if (folder === undefined || text === undefined) throw new Error('usage: pipeline.ts FOLDER TEXT [TASK]');

env.allowRemoteModels = false;
env.localModelPath = dirname(resolve(folder));
// No dtype is asked for: config.json names the one that was written.
const run = await pipeline(task as PipelineType, basename(folder));
console.log(await (run as unknown as (input: string) => Promise<unknown>)(text));
await run.dispose();
