import cliProgress from 'cli-progress';
import type { Progress } from '../compress/report.js';
import { brief, formatBytes, formatDuration, printable, shorten } from '../report/format.js';
import { Forecast } from './forecast.js';
import type { Terminal } from './terminal.js';

const BAR = 24;

/** A line that shows how far a job is and how long it will take. Draws nothing where nobody watches. */
export class ProgressLine {
  private readonly bar: cliProgress.SingleBar | undefined;
  private readonly forecast: Forecast = new Forecast();
  private started = false;

  constructor({ progress, errorColours }: Terminal) {
    if (!progress) return;
    this.bar = new cliProgress.SingleBar({
      stream: progress,
      hideCursor: true,
      clearOnComplete: true,
      // Ctrl-C is ours: the work ends first, then the line.
      gracefulExit: false,
      format: (_options, params, payload: { text?: string }) => {
        const filled = Math.round(BAR * Math.min(1, params.progress));
        const bar = errorColours.cyan('━'.repeat(filled)) + errorColours.dim('━'.repeat(BAR - filled));
        return `${bar} ${payload.text ?? ''}`;
      },
    });
  }

  /** Shows a step; give it to `onProgress`. */
  readonly update = (progress: Progress): void => {
    if (!this.bar) return;
    const { done, total } = progress;
    const text = progressText(progress, this.forecast.left(progress.phase, done, total, performance.now()));
    if (!this.started) {
      this.bar.start(total, done, { text });
      process.once('exit', this.end);
    }
    this.started = true;
    this.bar.setTotal(total);
    this.bar.update(done, { text });
  };

  /** Removes the line, and gives the terminal back its cursor: at the end of the process too, whatever ends it. */
  readonly end = (): void => {
    process.off('exit', this.end);
    if (this.started) this.bar?.stop();
    this.started = false;
  };
}

/** `choose 12/47, about 40 s left, conv2d_3.w_0`. */
export function progressText({ phase, done, total, detail }: Progress, left: number | undefined): string {
  const count = (value: number): string => (phase === 'download' ? formatBytes(value) : String(value));
  return [
    // A phase whose length was not known before counts up.
    done > total ? `${phase} ${count(done)}` : `${phase} ${count(done)}/${count(total)}`,
    left !== undefined && left > 0 && `about ${brief(formatDuration(roundUp(left)))} left`,
    detail !== undefined && shorten(printable(detail), 32),
  ]
    .filter(Boolean)
    .join(', ');
}

/** A forecast in whole seconds, above ten in steps of five: digits that jump look more exact than they are. */
const roundUp = (ms: number): number => {
  const step = ms > 10_000 ? 5000 : 1000;
  return Math.ceil(ms / step) * step;
};
