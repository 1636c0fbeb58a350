/** One index of one axis of one value: what removes it, see `Labels`. */
export type Label = number;

/**
 * The labels of an axis, one for each index; or the reason why all of it stays. An axis with labels has a fixed size of
 * at least 2: nobody can remove the only index.
 */
export type Axis = Int32Array | string;

export const isFree = (axis: Axis | undefined): axis is Int32Array => axis instanceof Int32Array;

/**
 * Which indices of which axes go together. A label stands for a set of atoms and is removed where one of them is: an
 * alias has one, a channel of a dimension that is split into heads has two (its head and its place in the head), one
 * that must stay has none. Making two labels equal substitutes atoms, so that the equations hold for every choice of
 * atoms to remove; where several substitutions would do, the one that leaves most freedom is taken.
 */
export class Labels {
  /** What a label stands for; an atom stands for itself. */
  private readonly meanings: (readonly Label[] | undefined)[] = [];
  private readonly reasons = new Map<Label, string>();
  private readonly approximations = new Map<Label, string>();

  /** A new atom. */
  atom(): Label {
    return this.meanings.push(undefined) - 1;
  }

  /** Labels of a new axis. */
  axis(size: number): Axis {
    return size > 1 ? Int32Array.from({ length: size }, () => this.atom()) : 'it has one index only';
  }

  /** A label that is removed where one of these is. */
  union(labels: readonly Label[]): Label {
    return labels.length === 1 ? labels[0]! : this.meanings.push([...labels]) - 1;
  }

  /** A label that is never removed. */
  fixed(reason: string): Label {
    const label = this.meanings.push([]) - 1;
    this.reasons.set(label, reason);
    return label;
  }

  /** The atoms that a label stands for, in the order of the factors of its axis. */
  atomsOf(label: Label): readonly Label[] {
    const root = this.find(label);
    const meaning = this.meanings[root];
    if (meaning === undefined) return [root];
    if (meaning.length === 0) return meaning;
    return [...new Set(meaning.flatMap(part => this.atomsOf(part)))];
  }

  /** Makes two labels be removed together. */
  equate(a: Label, b: Label): void {
    if (this.find(a) === this.find(b)) return;
    const left = this.atomsOf(a);
    const right = this.atomsOf(b);
    const own = left.filter(atom => !right.includes(atom));
    const other = right.filter(atom => !left.includes(atom));
    if (own.length === 0) for (const atom of other) this.fixAtom(atom, this.reasonOf(a) ?? FACTOR);
    else if (other.length === 0) for (const atom of own) this.fixAtom(atom, this.reasonOf(b) ?? FACTOR);
    else {
      const [few, many] = own.length <= other.length ? [own, other] : [other, own];
      few.forEach((atom, i) => {
        this.define(atom, i < few.length - 1 ? [many[i]!] : many.slice(i));
      });
    }
  }

  /** Keeps a label from being removed. */
  fix(label: Label, reason: string): void {
    for (const atom of this.atomsOf(label)) this.fixAtom(atom, reason);
  }

  /** Why a label is never removed; `undefined` where it may be. */
  reasonOf(label: Label): string | undefined {
    const root = this.find(label);
    const reason = this.reasons.get(root);
    if (reason !== undefined) return reason;
    for (const part of this.meanings[root] ?? []) {
      const found = this.reasonOf(part);
      if (found !== undefined && this.atomsOf(label).length === 0) return found;
    }
    return undefined;
  }

  /** Notes that removing a label is not the same as masking it. */
  approximate(label: Label, reason: string): void {
    for (const atom of this.atomsOf(label))
      if (!this.approximations.has(atom)) this.approximations.set(atom, reason);
  }

  approximationOf(atom: Label): string | undefined {
    return this.approximations.get(atom);
  }

  private fixAtom(atom: Label, reason: string): void {
    this.meanings[atom] = [];
    this.reasons.set(atom, reason);
  }

  private define(atom: Label, parts: readonly Label[]): void {
    this.meanings[atom] = parts;
    const reason = this.approximations.get(atom);
    if (reason !== undefined) for (const part of parts) this.approximate(part, reason);
  }

  /** The end of a chain of aliases; shortens the chain. */
  private find(label: Label): Label {
    let root = label;
    for (let next = this.meanings[root]; next?.length === 1; next = this.meanings[root]) root = next[0]!;
    while (label !== root) {
      const next = this.meanings[label]![0]!;
      this.meanings[label] = [root];
      label = next;
    }
    return root;
  }
}

const FACTOR = 'it is one factor of a dimension that repeats';
