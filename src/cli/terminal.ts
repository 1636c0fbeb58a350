import pc from 'picocolors';
import type { Colours } from '../report/terminal/text.js';

/** Where a command writes and what may stop it: the process, or a test. */
export interface Terminal {
  /** Results: tables, JSON. */
  out(text: string): void;
  /** Everything else: progress, warnings, errors. */
  err(text: string): void;
  /** Characters in a line of the results. */
  readonly width: number;
  readonly colours: Colours;
  readonly errorColours: Colours;
  /** The stream that a progress bar may be drawn on; absent where nobody watches. */
  readonly progress?: NodeJS.WriteStream | undefined;
  /** Asks whoever watches a question of yes or no; absent where nobody does. */
  confirm?(question: string): Promise<boolean>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Wide enough for every column, where the results go into a file or a pipe. */
const UNBOUNDED_WIDTH = 160;

/** The terminal of this process. Colours follow NO_COLOR, FORCE_COLOR and whether somebody watches. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Whoever asks twice does not want to wait for the end of the current step.
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort();
    });
  }
  // `whittle inspect … | head` closes the pipe: that is no error.
  stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0);
    throw error;
  });
  const forced = Boolean(env.FORCE_COLOR) && env.FORCE_COLOR !== '0';
  const colourful = (stream: NodeJS.WriteStream) =>
    !env.NO_COLOR && (forced || (Boolean(stream.isTTY) && env.TERM !== 'dumb'));
  return {
    out: text => void stdout.write(text),
    err: text => void stderr.write(text),
    width: stdout.isTTY ? stdout.columns || 80 : UNBOUNDED_WIDTH,
    colours: pc.createColors(colourful(stdout)),
    errorColours: pc.createColors(colourful(stderr)),
    progress: stderr.isTTY && env.TERM !== 'dumb' ? stderr : undefined,
    ...(stdin.isTTY && stderr.isTTY && { confirm: question => ask(question, interrupt.signal) }),
    signal: interrupt.signal,
  };
}

/** On the stream of errors: results may go into a pipe. Return alone means yes. */
async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question} [Y/n] `, { signal });
    return /^(y|yes|)$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
