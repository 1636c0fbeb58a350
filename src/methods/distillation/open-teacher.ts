import { WhittleError } from '../../graph/errors.js';
import { load } from '../../onnx/files.node.js';
import { text, type ValuesOf } from '../../train/config/settings.js';
import type { Teacher } from './teacher.js';

/** Settings of methods that learn from a file. */
export const TEACHER = {
  teacher: text('', 'the ONNX file to learn from, in the browser its URL; needed'),
  output: text('', "the teacher's output with the scores; default the one that is named as the student's"),
  inputs: text('', "the teacher's inputs as the student names them, such as `pixels=input+mask=mask`"),
};

/**
 * Reads a teacher from a path as the working directory has it, in the browser from a URL.
 * @throws WhittleError where none is named, or the file cannot be read
 */
export async function openTeacher(
  method: string,
  { teacher, output, inputs }: ValuesOf<typeof TEACHER>,
): Promise<Teacher> {
  if (teacher === '') {
    throw new WhittleError(`the method ${method} needs a teacher`, {
      hint: `Name its file, as in --method ${method}:teacher=teacher.onnx`,
    });
  }
  const names = inputs === '' ? [] : inputs.split('+').map(pair => namesOf(pair));
  return {
    model: await load(teacher),
    ...(output !== '' && { output }),
    inputs: Object.fromEntries(names),
  };
}

function namesOf(pair: string): [teacher: string, student: string] {
  const at = pair.indexOf('=');
  if (at > 0 && at < pair.length - 1) return [pair.slice(0, at), pair.slice(at + 1)];
  throw new WhittleError(`"${pair}" does not say which input of the student an input of the teacher is`, {
    hint: 'Join pairs by +, as in inputs=pixels=input+mask=mask',
  });
}
