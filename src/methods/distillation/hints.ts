import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import type { Value } from '../../graph/value.js';
import { conv1d, conv2d, linear, type Network, Scope } from '../../nn/index.js';
import { CLAIMS } from '../../train/claims.js';
import { number, text } from '../../train/config/settings.js';
import { meanSquaredError } from '../../train/losses.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { typedCopy } from './embed.js';
import { type DistillationOptions, SOFT_TARGETS, softTargets } from './hinton.js';
import { openTeacher, TEACHER } from './open-teacher.js';
import { admitTeacher, embedTeacher, scoresOf, teacherInputs } from './teacher.js';

export interface HintOptions extends DistillationOptions {
  /** The value of the teacher's graph to be matched, by name. */
  readonly hint: string;
  /** The student's layer whose output is to match it, by path. */
  readonly guided: string;
  /** Share of the training in which only the hint counts; default 0.3. */
  readonly stage?: number;
}

const GUESS = 'regressor/guess';

/**
 * Feature matching as FitNets do it: in the first stage the student's guided layer learns, through a regressor that is
 * thrown away afterwards, to give what a hidden layer of the teacher gives, by ½·mean (regressor(student) − teacher)²;
 * in the second it learns from the teacher's soft targets. The regressor is a linear layer, or for maps a convolution
 * whose window makes the sizes equal. Romero et al., 2015, https://arxiv.org/abs/1412.6550.
 */
export function hints({ teacher, hint, guided, stage = 0.3, ...options }: HintOptions): TrainingMethod {
  /** Of the training in progress; all of it is the first stage until it has begun. */
  let switchAt = Number.POSITIVE_INFINITY;
  let data: readonly string[] = [];
  return {
    name: 'fitnets',
    claims: [CLAIMS.teacher],
    layerClaim: { of: () => [guided], accepts: ['dense', 'shared'] },
    prepare(network) {
      data = admitTeacher(network, teacher.model);
      const opset = network.opsets.get('') ?? 21;
      const inputs = teacherInputs(teacher, network.inputs);
      const typed = typedCopy(teacher.model, inputs, opset);
      const target = [...typed.graph.nodes].flatMap(node => node.outputs).find(v => v?.name === hint);
      if (!target) throw unknownHint(teacher.model, typed, hint);
      const guess = regressor(network, guidedOutput(network, guided), target);
      network.graph.releaseName(guess.name);
      guess.name = network.graph.freshName(GUESS);
    },
    loss(context, loss) {
      const { b, graph } = context;
      const values = embedTeacher(context, teacher, data);
      const nodes = [...graph.nodes].flatMap(node => node.outputs);
      const guess = nodes.find(value => value?.name === GUESS)!;
      const distance = b.mul(meanSquaredError(b, guess, values.get(hint)!), 0.5);
      context.metric('hint', distance);
      const first = context.scalar('hint_stage', ({ update }) => Number(update <= switchAt), 'bool');
      const output = scoresOf(context, teacher, values, options.logits);
      return b.where(first, distance, softTargets(context, loss, output, options));
    },
    started(run) {
      switchAt = Math.round(stage * run.updates);
    },
  };
}

/** Names the activations that could be meant. */
function unknownHint({ path }: Model, typed: Model, hint: string): WhittleError {
  const activations = [...typed.graph.nodes].filter(({ opType }) => ACTIVATIONS.has(opType));
  const names = activations.map(({ output }) => output.name).slice(0, 20);
  return new WhittleError('the teacher has no such value', {
    ...(path !== undefined && { file: path }),
    value: hint,
    hint: `Its activations are ${names.join(', ') || 'none that ONNX has a name for'}; any value that a node gives will do`,
  });
}

const ACTIVATIONS = new Set(['Relu', 'LeakyRelu', 'Clip', 'Gelu', 'HardSwish', 'Sigmoid', 'Tanh', 'Elu']);

function guidedOutput(network: Network, path: string): Value {
  const layer = network.layers.get(path);
  if (layer && layer.kind !== 'attention') return layer.output;
  throw new WhittleError(`the student has no layer "${path}"`, {
    hint: `It has ${[...network.layers.keys()].join(', ')}`,
  });
}

/** Brings the student's features to the teacher's shape. */
function regressor(network: Network, student: Value, teacher: Value): Value {
  const [from, to] = [student.shape, teacher.shape];
  const refuse = (): never => {
    throw new WhittleError(
      `a layer of shape [${from?.join(', ')}] cannot be guided by a hint of shape [${to?.join(', ')}]`,
      {
        value: teacher.name,
        hint: 'Features must have as many dimensions, and maps be no smaller than the hint',
      },
    );
  };
  if (!from || !to || from.length !== to.length) return refuse();
  const scope = new Scope(network, 'regressor');
  const size = (dim: unknown): number => (typeof dim === 'number' ? dim : refuse());
  if (from.length < 4) {
    return linear(scope, student, { inFeatures: size(from.at(-1)), outFeatures: size(to.at(-1)) });
  }
  const kernelSize = from.slice(2).map((dim, i) => size(dim) - size(to[i + 2]) + 1);
  if (kernelSize.some(k => k < 1)) return refuse();
  const conv = kernelSize.length === 1 ? conv1d : conv2d;
  return conv(scope, student, { inChannels: size(from[1]), outChannels: size(to[1]), kernelSize });
}

export const FITNETS = defineMethod({
  name: 'fitnets',
  family: 'distillation',
  claims: [CLAIMS.teacher],
  summary:
    'A hidden layer learns to give what a hidden layer of the teacher gives; then Hinton’s distillation.',
  paper: {
    title: 'FitNets: Hints for Thin Deep Nets',
    authors: 'Romero, Ballas, Ebrahimi Kahou, Chassang, Gatta, Bengio',
    year: 2015,
    url: 'https://arxiv.org/abs/1412.6550',
  },
  settings: {
    ...TEACHER,
    hint: text('', "the value of the teacher's graph to be matched; needed"),
    guided: text('', "the student's layer that is to match it, by path; needed"),
    stage: number(0.3, { min: 0, max: 1, description: 'share of the updates in which only the hint counts' }),
    ...SOFT_TARGETS,
  },
  create: async ({ teacher, output, inputs, ...options }) =>
    hints({ teacher: await openTeacher('fitnets', { teacher, output, inputs }), ...options }),
});
