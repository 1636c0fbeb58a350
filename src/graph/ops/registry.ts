import { WhittleError } from '../errors.js';
import type { Node } from '../node.js';
import type { OpDefinition } from './definition.js';

/** Finds definitions by operator. Immutable: `with` makes a larger one. */
export class OpRegistry {
  private readonly byDomain: ReadonlyMap<string, ReadonlyMap<string, OpDefinition>>;

  /** @throws WhittleError where two definitions have the same name */
  constructor(definitions: Iterable<OpDefinition>) {
    const byDomain = new Map<string, Map<string, OpDefinition>>();
    for (const definition of definitions) {
      const ops = byDomain.get(definition.domain) ?? new Map<string, OpDefinition>();
      byDomain.set(definition.domain, ops);
      if (ops.has(definition.op)) {
        throw new WhittleError(
          `operator ${definition.domain}${definition.domain && '.'}${definition.op} is defined twice`,
        );
      }
      ops.set(definition.op, definition);
    }
    this.byDomain = byDomain;
  }

  get(domain: string, op: string): OpDefinition | undefined {
    return this.byDomain.get(domain)?.get(op);
  }

  of(node: Node): OpDefinition | undefined {
    return this.get(node.domain, node.opType);
  }

  *[Symbol.iterator](): Generator<OpDefinition> {
    for (const ops of this.byDomain.values()) yield* ops.values();
  }

  /** A registry with these definitions too; they replace those of the same name. */
  with(definitions: Iterable<OpDefinition>): OpRegistry {
    const own = [...definitions];
    const names = new Set(own.map(d => `${d.domain}.${d.op}`));
    return new OpRegistry([...[...this].filter(d => !names.has(`${d.domain}.${d.op}`)), ...own]);
  }
}
