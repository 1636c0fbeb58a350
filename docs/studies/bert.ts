/**
 * What the studies on attention have in common: BERT learns to guess masked tokens, with Frobenius decay of the products
 * in its attentions or with weight decay of the projections, with full and with half as wide heads; each then learns to
 * find answers in texts, all in the same way.
 */
import {
  type Dataset,
  maskTokens,
  NOT_MASKED,
  type SpanWindows,
  type SpecialTokens,
} from 'whittle-nn/datasets';
import { factorizedAttention } from 'whittle-nn/methods/factorized';
import { bert, loadWeights, type Network, weightsOf } from 'whittle-nn/nn';
import type { SessionOptions } from 'whittle-nn/runtime';
import type { Arm } from 'whittle-nn/study';
import {
  adamW,
  type ConfiguredTraining,
  cosine,
  integer,
  lamb,
  languageModel,
  number,
  scoreAnswers,
  spanExtraction,
  warmup,
} from 'whittle-nn/train';

/** What a study says about the network and its two trainings. */
export interface BertValues {
  readonly features: number;
  readonly depth: number;
  readonly heads: number;
  readonly tokens: number;
  readonly batchSize: number;
  readonly updates: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly strength: number;
  readonly spanBatchSize: number;
  readonly spanEpochs: number;
  readonly spanLearningRate: number;
  readonly spanWeightDecay: number;
}

/** Settings that mean the same at each scale. */
export const decaySettings = {
  weightDecay: number(0.01, { min: 0, description: 'of AdamW or LAMB, decoupled' }),
  strength: number(1, { min: 0, description: 'of Frobenius decay, as a multiple of the weight decay' }),
  spanWeightDecay: number(0.01, { min: 0, description: 'of the fine-tuning, of all arms' }),
  spanEpochs: number(2, { min: 0.001 }),
  batchSize: integer(16, { min: 1 }),
  spanBatchSize: integer(16, { min: 1 }),
};

export interface BertData {
  readonly special: SpecialTokens;
  /** Pieces of text. */
  readonly train: Dataset;
  /** The same of held-out text, with masks that stay. */
  readonly test: Dataset;
  readonly questions: SpanWindows;
  readonly testQuestions: SpanWindows;
}

export interface BertStudy<V> {
  prepare(values: V): BertData;
  readonly optimizer: 'adamW' | 'lamb';
  readonly dropout: number;
  /** Where it runs; default the processor. */
  session?(values: V): SessionOptions;
}

type Decay = 'weight' | 'frobenius';

/** Attention at full and at half the width, each with both decays, and a net that was not pretrained. */
export function bertArms<V extends BertValues>(study: BertStudy<V>): Record<string, Arm<V>> {
  const arms: Record<string, Arm<V>> = {};
  for (const share of [1, 0.5]) {
    for (const decay of ['weight', 'frobenius'] as const) {
      const name = `${share === 1 ? 'full' : 'half'}-${decay}`;
      const against = `${share === 1 ? 'full' : 'half'}-weight`;
      arms[`mlm-${name}`] = pretraining(study, share, decay, `mlm-${against}`);
      arms[name] = fineTuning(study, share, labelOf(share, decay), name, against);
    }
  }
  arms['not-pretrained'] = fineTuning(study, 1, 'Full width, not pretrained');
  return arms;
}

const labelOf = (share: number, decay: Decay): string =>
  `${share === 1 ? 'Full' : 'Half'} width, ${decay === 'weight' ? 'weight decay' : 'Frobenius decay'}`;

function network<V extends BertValues>(
  values: V,
  { dropout }: BertStudy<V>,
  { special }: BertData,
  options: { share: number; head: 'mlm' | 'span'; seed: number },
): Network {
  const { features, depth, heads, tokens } = values;
  const { share, head, seed } = options;
  return bert({
    vocabulary: special.vocabulary,
    features,
    depth,
    heads,
    headDim: Math.max(1, Math.round((share * features) / heads)),
    maxTokens: tokens,
    dropout,
    head,
    training: true,
    seed,
  });
}

function pretraining<V extends BertValues>(
  study: BertStudy<V>,
  share: number,
  decay: Decay,
  against: string,
): Arm<V> {
  return {
    label: `${labelOf(share, decay)}: pretraining`,
    group: 'Guessing masked tokens',
    against,
    train(values, seed): ConfiguredTraining {
      const data = study.prepare(values);
      const { updates, learningRate, weightDecay, strength, batchSize, tokens } = values;
      return {
        network: network(values, study, data, { share, head: 'mlm', seed }),
        data: { train: data.train, test: data.test },
        objective: languageModel({ ignoreIndex: NOT_MASKED }),
        transforms: [maskTokens({ special: data.special })],
        optimizer: study.optimizer === 'lamb' ? lamb() : adamW(),
        learningRate: warmup({ updates: updates / 10 }, cosine({ base: learningRate })),
        weightDecay,
        methods: decay === 'frobenius' ? [factorizedAttention({ strength })] : [],
        clip: { norm: 1 },
        evaluation: {
          every: Math.max(1, updates / 4) / Math.max(1, Math.floor(data.train.length / batchSize)),
          batchSize,
        },
        batchSize,
        updates,
        sizes: { tokens },
        seed,
        ...(study.session && { session: study.session(values) }),
      };
    },
    measure: ({ evaluation }) => ({ mlm_loss: evaluation.loss! }),
  };
}

function fineTuning<V extends BertValues>(
  study: BertStudy<V>,
  share: number,
  label: string,
  pretrained?: string,
  against?: string,
): Arm<V> {
  return {
    label,
    group: 'Finding answers, after pretraining',
    ...(against !== undefined && against !== pretrained && { against }),
    ...(pretrained !== undefined && { needs: `mlm-${pretrained}` }),
    async train(values, seed, needed): Promise<ConfiguredTraining> {
      const data = study.prepare(values);
      const {
        spanBatchSize: batchSize,
        spanEpochs: epochs,
        spanLearningRate,
        spanWeightDecay,
        tokens,
      } = values;
      const fresh = network(values, study, data, { share, head: 'span', seed });
      if (pretrained !== undefined) {
        const before = await (await needed(`mlm-${pretrained}`)).network();
        loadWeights(fresh, weightsOf(before), { strict: false });
      }
      const updates = (epochs * data.questions.length) / batchSize;
      return {
        network: fresh,
        data: { train: data.questions, test: data.testQuestions },
        objective: spanExtraction(),
        optimizer: adamW(),
        learningRate: warmup({ updates: updates / 10 }, cosine({ base: spanLearningRate })),
        weightDecay: spanWeightDecay,
        clip: { norm: 1 },
        evaluation: { every: epochs / 4, batchSize },
        batchSize,
        epochs,
        sizes: { tokens },
        seed,
        ...(study.session && { session: study.session(values) }),
      };
    },
    async measure({ settings, model, needed }) {
      const { f1, exact } = await scoreAnswers(model, study.prepare(settings).testQuestions, {
        batchSize: settings.spanBatchSize,
        session: { spinning: false, ...study.session?.(settings) },
      });
      const before = pretrained === undefined ? undefined : await needed(`mlm-${pretrained}`);
      return {
        span_f1: f1,
        span_exact: exact,
        ...(before && { mlm_loss: before.figures.mlm_loss! }),
      };
    },
  };
}
