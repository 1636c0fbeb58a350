import { WhittleError } from '../graph/errors.js';

/** Something that a checkpoint holds a JSON value of. */
export interface Saved {
  save?(): unknown;
  restore?(saved: unknown): void;
}

/** Schedules, methods and the like, each saved and restored under a name. */
export class SavedParts {
  private readonly parts: Readonly<Record<string, Saved>>;

  constructor(parts: Readonly<Record<string, Saved>>) {
    this.parts = parts;
  }

  save(): Record<string, unknown> {
    const savers = Object.entries(this.parts).filter(([, part]) => part.save);
    return Object.fromEntries(savers.map(([name, part]) => [name, part.save!()]));
  }

  /** @throws WhittleError where something was not saved that would be now */
  restore(saved: Readonly<Record<string, unknown>>, place: string): void {
    for (const [name, part] of Object.entries(this.parts)) {
      if (!part.restore) continue;
      if (!Object.hasOwn(saved, name)) {
        throw new WhittleError(`the checkpoint holds nothing of "${name}"`, {
          file: place,
          hint: 'Was it saved with other schedules or methods?',
        });
      }
      part.restore(saved[name]);
    }
  }
}
