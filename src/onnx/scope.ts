import type { Value } from '../graph/value.js';

/** The names that are visible in a graph: its own, then those of the graphs around it. */
export class Scope {
  private readonly values: Map<string, Value> = new Map();
  private readonly outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.outer = outer;
  }

  /** Makes a value known under its name; false where the graph itself has another one of that name. */
  define(value: Value): boolean {
    if (this.values.has(value.name)) return this.values.get(value.name) === value;
    this.values.set(value.name, value);
    return true;
  }

  /** The value of this graph itself. */
  own(name: string): Value | undefined {
    return this.values.get(name);
  }

  resolve(name: string): Value | undefined {
    return this.values.get(name) ?? this.outer?.resolve(name);
  }

  names(): Iterable<string> {
    return this.values.keys();
  }
}
