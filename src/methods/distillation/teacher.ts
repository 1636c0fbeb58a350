import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import type { Shape, Value } from '../../graph/value.js';
import type { Network } from '../../nn/index.js';
import { beforeSoftmax } from '../../train/losses.js';
import type { StepContext } from '../../train/step/context.js';
import { embedModel } from './embed.js';

/** Another model that a student learns from: any ONNX file that `load` reads. */
export interface Teacher {
  readonly model: Model;
  /** Its output with the scores of the classes; default the student's name for it, or its only output. */
  readonly output?: string;
  /** The student's names of the teacher's inputs, where they differ; an only input needs no name. */
  readonly inputs?: Readonly<Record<string, string>>;
}

/** Which of the student's inputs the teacher reads, by the teacher's names. */
export function teacherInputs({ model, inputs = {} }: Teacher, own: readonly Value[]): Map<string, Value> {
  const data = model.graph.inputs.filter(({ initializer }) => !initializer);
  const found = new Map<string, Value>();
  for (const { name } of data) {
    const wanted = inputs[name] ?? name;
    const only = data.length === 1 && own.length === 1 ? own[0] : undefined;
    const value = own.find(input => input.name === wanted) ?? only;
    if (value) found.set(name, value);
  }
  return found;
}

/**
 * Lets the step have operators that the teacher is made of, such as those of `com.microsoft`.
 * @returns names of the student's inputs, before labels and parameters join them
 */
export function admitTeacher(network: Network, { opsets }: Model): string[] {
  network.opsets = new Map([...opsets, ...network.opsets]);
  return network.inputs.map(({ name }) => name);
}

/**
 * Puts a teacher into a training step.
 * @param data names of the student's inputs
 * @param constants what takes the place of constants of the teacher
 * @returns its values by name
 */
export function embedTeacher(
  context: StepContext,
  teacher: Teacher,
  data: readonly string[],
  constants: ReadonlyMap<string, Value> = new Map(),
): Map<string, Value> {
  const own = context.network.inputs.filter(({ name }) => data.includes(name));
  const inputs = teacherInputs(teacher, own);
  return embedModel(context.graph, teacher.model, {
    inputs,
    constants,
    prefix: 'teacher',
    opset: context.b.opset,
  });
}

/**
 * The scores that a teacher gives. A softmax at its end is left out, since the temperature divides what it reads.
 * @param own the student's name for them
 * @throws WhittleError where the teacher has no such output
 */
export function teacherOutput(
  { model, output }: Teacher,
  values: ReadonlyMap<string, Value>,
  own: string,
): Value {
  const names = model.graph.outputs.map(({ name }) => name);
  const name = output ?? (names.includes(own) || names.length !== 1 ? own : names[0]!);
  const value = names.includes(name) ? values.get(name) : undefined;
  if (value) return beforeSoftmax(value);
  throw new WhittleError(`the teacher has no output "${name}"`, {
    ...(model.path !== undefined && { file: model.path }),
    hint: `It has ${names.join(', ')}`,
  });
}

/**
 * The teacher's scores for the student's output of this name.
 * @throws WhittleError where either lacks them, or they are not of the same classes
 */
export function scoresOf(
  context: StepContext,
  teacher: Teacher,
  values: ReadonlyMap<string, Value>,
  logits = 'logits',
): Value {
  const own = context.scores(logits);
  const scores = teacherOutput(teacher, values, logits);
  checkScores(own, scores, teacher);
  return scores;
}

/** @throws WhittleError where teacher and student do not score the same classes of the same examples */
function checkScores(student: Value, teacher: Value, { model }: Teacher): void {
  const [own, other] = [student.shape, teacher.shape];
  if (!own || !other) return;
  const clash = (a: unknown, b: unknown): boolean =>
    typeof a === 'number' && typeof b === 'number' && a !== b;
  if (own.length === other.length && own.every((dim, i) => !clash(dim, other[i]))) return;
  const file = model.path === undefined ? {} : { file: model.path };
  const [classes, wanted] = [other.at(-1), own.at(-1)];
  if (own.length === other.length && clash(classes, wanted)) {
    throw new WhittleError(`the teacher scores ${classes} classes, the student ${wanted}`, {
      ...file,
      value: teacher.name,
      hint: 'They must be the same classes in the same order; output= chooses another output of the teacher',
    });
  }
  const words = (shape: Shape) => shape.map(dim => dim ?? '?').join(', ');
  throw new WhittleError(
    `the teacher gives scores of shape [${words(other)}], the student of shape [${words(own)}]`,
    {
      ...file,
      value: teacher.name,
      hint: 'Was the teacher exported for batches of one size? Export it with a symbolic batch dimension',
    },
  );
}
