/** The browser's side of `study-pool.node.ts`: layers are scored one after another. */
export class StudyPool {
  readonly workers = 0;

  static async open(): Promise<StudyPool | undefined> {
    return undefined;
  }

  score(): Promise<never> {
    return Promise.reject(new Error('never opened'));
  }

  async close(): Promise<void> {}
}
