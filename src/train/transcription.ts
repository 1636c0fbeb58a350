import type { Batch } from '../datasets/dataset.js';
import { WhittleError } from '../graph/errors.js';
import { ctcLoss } from './ctc.js';
import type { Objective } from './objective.js';

export interface TranscriptionOptions {
  /** The output with a score for each class at each step; default `logits`. Where it is a softmax, what that reads. */
  readonly logits?: string;
  /** The input of the labels; default `labels`. */
  readonly labels?: string;
  /** The class that stands for no sign; default 0. */
  readonly blank?: number;
}

/**
 * Reading lines of text, or speech, without knowing which step belongs to which sign: CTC of scores
 * (batch, steps, classes) and labels (batch, length) int64, filled up with blanks behind.
 */
export function transcription({
  logits: output = 'logits',
  labels = 'labels',
  blank = 0,
}: TranscriptionOptions = {}): Objective {
  return {
    build(context) {
      const logits = context.scores(output);
      const targets = context.input(labels, 'int64', [logits.shape?.[0] ?? 'batch', 'length']);
      const [, steps, classes] = logits.shape ?? [];
      return {
        loss: ctcLoss(context.b, logits, targets, { blank }),
        check: batch => checkLines(batch, labels, blank, Number(steps), Number(classes)),
      };
    },
  };
}

/** @throws WhittleError for a label that is no class, and a line of more labels than there are steps for */
function checkLines(batch: Batch, name: string, blank: number, steps: number, classes: number): void {
  const tensor = batch[name];
  if (tensor?.dtype !== 'int64' || tensor.dims.length !== 2) return;
  const values = tensor.toNumbers();
  const length = tensor.dims[1]!;
  for (let line = 0; line < tensor.dims[0]!; line++) {
    const signs = values.slice(line * length, (line + 1) * length).filter(label => label !== blank);
    const wrong = signs.find(label => label < 0 || label >= classes);
    if (wrong !== undefined) {
      throw new WhittleError(`label ${wrong} of line ${line} of the batch is not one of ${classes} classes`, {
        value: name,
      });
    }
    const needed = signs.length + signs.filter((label, i) => label === signs[i - 1]).length;
    if (needed <= steps) continue;
    throw new WhittleError(`line ${line} of the batch needs ${needed} steps, and there are ${steps}`, {
      value: name,
      hint: 'Equal neighbours need a blank between them. Leave the line out, or make inputs longer',
    });
  }
}
