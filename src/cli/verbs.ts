import type { Command } from 'commander';
import { compareVerb } from './compare.js';
import { compressVerb } from './compress.js';
import { inspectVerb } from './inspect.js';
import { methodsVerb } from './methods.js';
import { pruneVerb } from './prune.js';
import { scanVerb } from './scan.js';
import { sensitivityVerb } from './sensitivity.js';
import { studyVerb } from './study.js';
import type { Terminal } from './terminal.js';
import { trainVerb } from './train.js';

/** Makes a verb's command, which writes to this terminal. */
export type Verb = (terminal: Terminal) => Command;

/** All verbs, in the order of the help. A new one is a file and a line here. */
export const VERBS: readonly Verb[] = [
  inspectVerb,
  compressVerb,
  pruneVerb,
  compareVerb,
  sensitivityVerb,
  scanVerb,
  trainVerb,
  studyVerb,
  methodsVerb,
];
