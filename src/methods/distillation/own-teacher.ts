import type { Value } from '../../graph/value.js';
import { type Network, toInference } from '../../nn/index.js';
import type { StepContext } from '../../train/step/context.js';
import { embedTeacher, teacherOutput } from './teacher.js';

/** A copy of the student in its own step, in inference form, whose weights are states that a method writes. */
export interface OwnTeacher {
  readonly scores: Value;
  /** Of what the student learns or keeps running; the teacher's is the state `prefix/name`. */
  readonly parameters: readonly string[];
}

/** @param student the network before the step was made of it */
export function embedOwn(context: StepContext, student: Network, prefix: string, logits: string): OwnTeacher {
  const inference = toInference(student);
  const constants = new Map<string, Value>();
  for (const { name, trainable, kind } of student.parameters.values()) {
    const moves = trainable || (kind === 'buffer' && student.updates.has(name));
    if (!moves || !inference.graph.initializers.has(inference.parameter(name).value)) continue;
    constants.set(name, context.freeState(`${prefix}/${name}`, student.tensor(name)).value);
  }
  const teacher = { model: inference.toModel() };
  const data = student.inputs.map(({ name }) => name);
  const scores = teacherOutput(teacher, embedTeacher(context, teacher, data, constants), logits);
  return { scores, parameters: [...constants.keys()] };
}
