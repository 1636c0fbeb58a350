/** Forecasts when a phase ends from how long its steps took so far. */
export class Forecast {
  private phase: string | undefined;
  private startedAt = 0;
  private doneAtStart = 0;

  /**
   * @param now milliseconds of any clock that only goes forward
   * @returns milliseconds left in this phase; `undefined` while too little is known
   */
  left(phase: string, done: number, total: number, now: number): number | undefined {
    if (phase !== this.phase) {
      this.phase = phase;
      this.startedAt = now;
      this.doneAtStart = done;
    }
    const elapsed = now - this.startedAt;
    const steps = done - this.doneAtStart;
    // A second says more about the next minute than the first step does, which also warms everything up.
    if (steps < 1 || elapsed < 1000 || total < done) return undefined;
    return (elapsed / steps) * (total - done);
  }
}
