import { dtypeFromCode } from '../graph/dtype.js';
import { type ErrorPlace, WhittleError } from '../graph/errors.js';

/** How errors of runs begin. */
export const RUN_FAILED = 'the model failed to run';

/**
 * ONNX Runtime's error as one that a user can read: the node that it names becomes the place, and the source
 * location, C++ signature and status codes that it prints around the sentence are dropped.
 */
export function ortFailure(
  what: string,
  error: unknown,
  place: ErrorPlace & { hint?: string } = {},
): WhittleError {
  if (error instanceof WhittleError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const node = NODE.map(pattern => pattern.exec(message)?.[1]).find(Boolean);
  const code = unsupportedType(error);
  if (code !== undefined) {
    const dtype = dtypeFromCode(code) ?? `of type ${code}`;
    return new WhittleError(`${what}: an input or output is ${dtype}, which JavaScript has no array for`, {
      hint: 'Put a Cast from or to float32 there',
      ...place,
      cause: error,
    });
  }
  return new WhittleError(`${what}: ${sentence(message)}`, { ...place, ...(node && { node }), cause: error });
}

/** ONNX Runtime does not load a model: why, and the way out. */
export function rejection(error: unknown, file: string | undefined): WhittleError {
  const message = error instanceof Error ? error.message : String(error);
  const hint = HINTS.find(([pattern]) => pattern.test(message))?.[1];
  return ortFailure('ONNX Runtime rejects the model', error, {
    ...(file !== undefined && { file }),
    ...(hint !== undefined && { hint }),
  });
}

/** The `TensorProto.DataType` of an input or output that ONNX Runtime cannot hand to JavaScript, from its message. */
export function unsupportedType(error: unknown): number | undefined {
  const code = error instanceof Error ? /^Unsupported data type: (\d+)/.exec(error.message)?.[1] : undefined;
  return code === undefined ? undefined : Number(code);
}

/** Ways out, by what the message of a model that does not load says. The first that fits counts. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /No Op registered for|No opset import for domain/,
    'This build of ONNX Runtime does not know the operator: export the model with standard ones',
  ],
  [
    /Could not find an implementation for/,
    'ONNX Runtime has no code for the operator with these types: export the model in float32, or cast there',
  ],
  [
    /Unsupported model IR version|guarantees\*? support for/,
    'The model is newer than this ONNX Runtime: export it for an older operator set, or install a newer ONNX Runtime',
  ],
  [
    /protobuf parsing failed|data pointer is null/,
    'The file is cut off or no ONNX file: download or export it again',
  ],
  [
    /ShapeInferenceError|Type Error|invalid model/,
    'The graph is not valid ONNX: export it again, with another operator set or a newer exporter',
  ],
];

/** How messages name the node that they are about. */
const NODE = [
  /\bName:\s*'([^']+)'/,
  /\bNode \(([^)]+)\) Op \(/,
  /\bIn Node, \("([^"]+)"/,
  /\bnode with name '([^']+)'/,
  /\bin node \(([^)]+)\)/,
];

/** What surrounds the sentence that says what happened, and what to put in its place. */
const NOISE: readonly (readonly [RegExp, string])[] = [
  [/^failed to call Ort\w+\(\)\. ERROR_CODE: \d+, ERROR_MESSAGE: /, ''],
  [/\[ONNXRuntimeError\] : \d+ : \w+ : /g, ''],
  [/^Load model from .*? failed:\s*/s, ''],
  [/^Exception during (?:loading|initialization): /, ''],
  [/^This is an invalid model\. (?:Error: )?/, ''],
  [/^In Node, .*?, Error /s, ''],
  [/^Node \([^)]*\) Op \((\w+)\) \[\w+\] /, '$1: '],
  [/^Non-zero status code returned while running (\w+) node\. Name:\s*'[^']*' Status Message: /, '$1: '],
  // Of a node in a subgraph.
  [/Non-zero status code returned while running (\w+) node\. Name:\s*('[^']*') Status Message: /g, '$1 $2: '],
  // "/source/file.cc:123 type ns::function(arguments) condition was false. What happened"
  [/\S+\.(?:cc|h):\d+ (?:.*? was false\. |.*?\) (?=[A-Z]))/s, ''],
  [/\s+/g, ' '],
  [/[\s.]+$/, ''],
];

const sentence = (message: string): string =>
  NOISE.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), message).trim();
