import type { Batch } from '../datasets/dataset.js';
import { WhittleError } from '../graph/errors.js';
import type { Builder } from '../graph/ops/builder.js';
import type { Value } from '../graph/value.js';
import { crossEntropy, meanSquaredError } from './losses.js';
import type { StepContext } from './step/context.js';

/** What is measured of a batch: the loss that training lowers, and further scalars to watch. */
export interface Measured {
  readonly loss: Value;
  readonly metrics?: Readonly<Record<string, Value>>;
  /**
   * How much the batch counts in the mean over a data set, one number of float32: where loss and metrics are means over
   * what counts, how many that are. Default the number of its examples.
   */
  readonly weight?: Value;
  /**
   * Looks at a batch before it is run, for what the graph would answer with an obscure error, or with none.
   * @throws WhittleError
   */
  readonly check?: (batch: Batch) => void;
}

/** Builds the loss from a network's outputs and declares the inputs, such as labels, that it needs. */
export interface Objective {
  build(context: StepContext): Measured;
  /** Figures that follow from means over batches, such as perplexity from the loss. */
  derive?(means: Readonly<Record<string, number>>): Readonly<Record<string, number>>;
}

export interface ClassificationOptions {
  /** The output with the scores of the classes; default `logits`. Where it is a softmax, what that reads. */
  readonly logits?: string;
  /** The input of the labels; default `labels`. */
  readonly labels?: string;
  /** In training only; default 0. */
  readonly labelSmoothing?: number;
  /** Training labels are probabilities of classes (batch, classes), as mixup makes them; default false. */
  readonly soft?: boolean;
}

/** Softmax cross-entropy and accuracy: logits (batch, classes), labels (batch) int64. */
export function classification(options: ClassificationOptions = {}): Objective {
  const { logits: output = 'logits', labels = 'labels', labelSmoothing = 0, soft = false } = options;
  return {
    build(context) {
      const { b, training } = context;
      const logits = context.scores(output);
      const probabilities = soft && training;
      const shape = logits.shape ?? ['batch', null];
      const targets = probabilities
        ? context.input(labels, 'float32', shape)
        : context.input(labels, 'int64', shape.slice(0, -1));
      const loss = crossEntropy(b, logits, targets, { labelSmoothing: training ? labelSmoothing : 0 });
      const right = probabilities ? argMax(b, targets) : targets;
      return {
        loss,
        metrics: { accuracy: hits(b, argMax(b, logits), right) },
        ...(!probabilities && { check: batch => checkLabels(batch, labels, shape.at(-1)) }),
      };
    },
  };
}

export interface LanguageModelOptions extends Omit<ClassificationOptions, 'soft'> {
  /** Tokens of this label do not count, e.g. −100; default none. */
  readonly ignoreIndex?: number;
}

/**
 * Cross-entropy of every token: logits (batch, tokens, vocabulary), labels (batch, tokens) int64, which hold the token
 * to be predicted at each place. Perplexity is e to the mean loss of all tokens that count.
 */
export function languageModel(options: LanguageModelOptions = {}): Objective {
  const { logits: output = 'logits', labels = 'labels', labelSmoothing = 0, ignoreIndex } = options;
  return {
    build(context) {
      const logits = context.scores(output);
      const targets = context.input(
        labels,
        'int64',
        (logits.shape ?? ['batch', 'tokens', null]).slice(0, -1),
      );
      const loss = crossEntropy(context.b, logits, targets, {
        labelSmoothing: context.training ? labelSmoothing : 0,
        ...(ignoreIndex !== undefined && { ignoreIndex }),
      });
      const check = (batch: Batch) => checkLabels(batch, labels, logits.shape?.at(-1), ignoreIndex);
      if (ignoreIndex === undefined) return { loss, check };
      return { loss, check, weight: countLabels(context.b, targets, ignoreIndex) };
    },
    derive: ({ loss }) => ({ perplexity: Math.exp(loss ?? Number.NaN) }),
  };
}

export interface SpanExtractionOptions {
  /** The outputs with the scores of each token to begin and to end the answer; default `start_logits`, `end_logits`. */
  readonly logits?: readonly [start: string, end: string];
  /** The inputs of the right tokens' numbers; default `start_positions`, `end_positions`. */
  readonly positions?: readonly [start: string, end: string];
}

/**
 * To find a piece of a text, e.g. an answer: the mean of two cross-entropies over the tokens, of where it begins and of
 * where it ends. Scores (batch, tokens), positions (batch) int64. `hits` is the share of pieces found to the token.
 * Devlin et al., NAACL 2019, section 4.2.
 */
export function spanExtraction({
  logits = ['start_logits', 'end_logits'],
  positions = ['start_positions', 'end_positions'],
}: SpanExtractionOptions = {}): Objective {
  return {
    build(context) {
      const { b } = context;
      const scores = logits.map(name => context.scores(name));
      const targets = positions.map((name, i) =>
        context.input(name, 'int64', (scores[i]!.shape ?? ['batch', null]).slice(0, -1)),
      );
      const [start, end] = scores.map((score, i) => crossEntropy(b, score, targets[i]!));
      const [first, last] = scores.map((score, i) => b.binary('Equal', argMax(b, score), targets[i]!));
      const both = b.indicator(b.binary('And', first!, last!), 'float32');
      return {
        loss: b.mul(b.add(start!, end!), 0.5),
        metrics: { hits: b.op('ReduceMean', [both], { keepdims: 0 }) },
        check(batch) {
          const tokens = batch.input_ids?.dims[1];
          for (const name of positions) checkLabels(batch, name, tokens ?? scores[0]!.shape?.at(-1));
        },
      };
    },
  };
}

export interface RegressionOptions {
  readonly output: string;
  /** The input that holds what the output should be; default `targets`. */
  readonly targets?: string;
}

/** Mean squared error. */
export function regression({ output, targets = 'targets' }: RegressionOptions): Objective {
  return {
    build(context) {
      const prediction = context.output(output);
      const target = context.input(targets, 'float32', prediction.shape ?? ['batch', null]);
      return { loss: meanSquaredError(context.b, prediction, target) };
    },
  };
}

/** @throws WhittleError for a label that is no class: a GPU would read past the end without a word */
function checkLabels(batch: Batch, name: string, classes: unknown, ignored?: number): void {
  const tensor = batch[name];
  if (typeof classes !== 'number' || tensor?.dtype !== 'int64') return;
  const labels = tensor.data() as BigInt64Array;
  for (let i = 0; i < labels.length; i++) {
    const label = Number(labels[i]!);
    if ((label >= 0 && label < classes) || label === ignored) continue;
    throw new WhittleError(`label ${label} of example ${i} of the batch is not one of ${classes} classes`, {
      value: name,
      hint: `Labels count from 0 to ${classes - 1}. Does the network have as many outputs as there are classes?`,
    });
  }
}

function countLabels(b: Builder, labels: Value, ignored: number): Value {
  const counts = b.op('Not', [b.binary('Equal', labels, ignored)]);
  return b.op('ReduceSum', [b.indicator(counts, 'float32')], { keepdims: 0 });
}

const argMax = (b: Builder, x: Value): Value => b.op('ArgMax', [x], { axis: -1, keepdims: 0 });

const hits = (b: Builder, found: Value, right: Value): Value =>
  b.op('ReduceMean', [b.indicator(b.binary('Equal', found, right), 'float32')], { keepdims: 0 });
