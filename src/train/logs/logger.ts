/** Figures of one step, or of one evaluation. */
export interface LogRecord {
  readonly kind: 'step' | 'evaluation';
  /** Updates made so far. */
  readonly update: number;
  /** Epochs trained so far, with a fraction. */
  readonly epoch: number;
  /** Time spent training so far, earlier runs of a resumed training included. */
  readonly seconds: number;
  readonly values: Readonly<Record<string, number>>;
}

/** Where a training writes its figures. */
export interface Logger {
  /**
   * Called before the first record.
   * @param update updates already made; what is logged of later ones comes from a run that was cut off, and goes
   */
  open(update: number): void | Promise<void>;
  write(record: LogRecord): void | Promise<void>;
  /** Called before a checkpoint is saved: what was written must survive from here on. */
  flush(): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Keeps the records in memory. */
export class MemoryLog implements Logger {
  records: LogRecord[] = [];

  open(update: number): void {
    this.records = this.records.filter(record => record.update <= update);
  }

  write(record: LogRecord): void {
    this.records.push(record);
  }

  flush(): void {}
  close(): void {}
}
