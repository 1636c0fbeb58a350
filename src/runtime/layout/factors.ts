import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';

/** One number for each channel, a value that broadcasts to (1, C, 1, 1); or one for all. */
export type Factor = number | Value;

/** Arithmetic on factors. What numbers decide costs nothing, and nothing is computed twice. */
export class Factors {
  private readonly b: Builder;
  private readonly known: Map<string, Value> = new Map();
  private readonly ids: Map<Value, number> = new Map();

  constructor(b: Builder) {
    this.b = b;
  }

  add(x: Factor, y: Factor): Factor {
    if (x === 0) return y;
    if (y === 0) return x;
    if (typeof x === 'number' && typeof y === 'number') return x + y;
    return this.once('+', x, y, () => this.b.add(x, y));
  }

  sub(x: Factor, y: Factor): Factor {
    if (y === 0) return x;
    if (x === 0) return this.mul(y, -1);
    if (typeof x === 'number' && typeof y === 'number') return x - y;
    if (x === y) return 0;
    return this.once('-', x, y, () => this.b.sub(x, y));
  }

  mul(x: Factor, y: Factor): Factor {
    if (x === 1) return y;
    if (y === 1) return x;
    if (x === 0 || y === 0) return 0;
    if (typeof x === 'number' && typeof y === 'number') return x * y;
    return this.once('·', x, y, () => this.b.mul(x, y));
  }

  reciprocal(x: Factor): Factor {
    if (typeof x === 'number') return 1 / x;
    return this.once('1/', x, 1, () => this.b.op('Reciprocal', [x]));
  }

  private once(operation: string, x: Factor, y: Factor, compute: () => Value): Value {
    const names = [this.name(x), this.name(y)];
    if (operation !== '-') names.sort();
    const key = `${operation} ${names}`;
    const value = this.known.get(key) ?? compute();
    this.known.set(key, value);
    return value;
  }

  private name(x: Factor): string {
    if (typeof x === 'number') return String(x);
    if (!this.ids.has(x)) this.ids.set(x, this.ids.size);
    return `v${this.ids.get(x)}`;
  }
}
