/**
 * Asks folders of models the same with transformers.js, offline, and prints what each says:
 * `npx jiti examples/transformers-js/pipeline.ts TASK FOLDER[,FOLDER…] TEXT…`.
 */
import { basename, dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { env, type PipelineType, pipeline } from '@huggingface/transformers';

/** Label and score of each class, or the features of a text, mean over its tokens and of length 1. */
export type Answer = readonly { readonly label: string; readonly score: number }[] | Float32Array;

/** What the model in a folder says to each text. Nothing comes from the net. */
export async function ask(folder: string, task: PipelineType, texts: readonly string[]): Promise<Answer[]> {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(resolve(folder));
  // No dtype is asked for: config.json names the one that was written.
  const run = await pipeline(task, basename(resolve(folder)));
  try {
    const answers: Answer[] = [];
    for (const text of texts) {
      const options = task === 'feature-extraction' ? { pooling: 'mean', normalize: true } : { top_k: 3 };
      const said: unknown = await (run as unknown as (text: string, options: object) => unknown)(
        text,
        options,
      );
      answers.push(
        task === 'feature-extraction'
          ? Float32Array.from((said as { data: Float32Array }).data)
          : (said as { label: string; score: number }[]),
      );
    }
    return answers;
  } finally {
    await run.dispose();
  }
}

/** How like two texts are by their features: the cosine, both being of length 1. */
export const likeness = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

async function main([task, folders, ...texts]: readonly string[]): Promise<void> {
  if (task === undefined || folders === undefined || texts.length === 0) {
    throw new Error('usage: pipeline.ts TASK FOLDER[,FOLDER…] TEXT…');
  }
  for (const folder of folders.split(',')) {
    const answers = await ask(folder, task as PipelineType, texts);
    for (const [i, answer] of answers.entries()) {
      const said =
        answer instanceof Float32Array
          ? `like the first: ${likeness(answer, answers[0] as Float32Array).toFixed(4)}`
          : answer.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join(', ');
      console.log(`${folder}\t${texts[i]}\t${said}`);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
