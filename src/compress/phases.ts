import type { CompressReport, Progress } from './report.js';

/** Times the phases of a job and reports its progress; stops it between steps when it is aborted. */
export class PhaseClock {
  private readonly finished: CompressReport['phases'] = [];
  private current: { name: string; start: number } | undefined;
  private readonly onProgress: ((progress: Progress) => void) | undefined;
  private readonly signal: AbortSignal | undefined;

  constructor(options: { onProgress?: (progress: Progress) => void; signal?: AbortSignal }) {
    this.onProgress = options.onProgress;
    this.signal = options.signal;
  }

  /**
   * Ends the phase before and starts one of `total` steps.
   * @returns to be called with the number of steps done. @throws the signal's reason once it is aborted
   */
  start(name: string, total: number): (done: number, detail?: string) => void {
    this.end();
    this.current = { name, start: performance.now() };
    const report = (done: number, detail?: string): void => {
      this.signal?.throwIfAborted();
      this.onProgress?.({ phase: name, done, total, ...(detail !== undefined && { detail }) });
    };
    report(0);
    return report;
  }

  private end(): void {
    if (!this.current) return;
    const { name, start } = this.current;
    this.finished.push({ name, ms: performance.now() - start });
    this.current = undefined;
  }

  /** Ends the last phase. All of them, in order. */
  get phases(): CompressReport['phases'] {
    this.end();
    return [...this.finished];
  }
}
