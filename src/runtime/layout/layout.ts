import type { Graph } from '../../graph/graph.js';
import type { NodeInput } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { type Factor, Factors } from './factors.js';
import { Filters } from './filters.js';
import { type Form, Forms, formOf } from './forms.js';
import { type Blocked, type BlockedConv, BlockedOperators, type ImageDims } from './operators.js';
import { Statistics } from './statistics.js';

/** What is known of a value's blocked counterpart: an affine form, or the product of two that only sums read. */
type Counterpart = { readonly form: Form } | { readonly product: readonly [Form, Form] };

/**
 * A graph on its way to blocked order. Values of the graph get blocked counterparts, computed where something asks
 * for them; what is still read in standard order at the end is reordered there.
 */
export class Layout {
  readonly b: Builder;
  readonly ops: BlockedOperators;
  readonly factors: Factors;
  readonly statistics: Statistics;
  readonly forms: Forms;
  readonly filters: Filters;
  private readonly counterparts: Map<Value, Counterpart> = new Map();
  private readonly offers: Map<Value, () => Blocked> = new Map();
  private readonly computed: Map<Form, Blocked> = new Map();
  private readonly copies: Map<Value, Map<string, Blocked>> = new Map();
  private readonly meanForms: Map<Value, Form> = new Map();

  constructor(b: Builder, block: number) {
    this.b = b;
    this.ops = new BlockedOperators(b, block);
    this.factors = new Factors(b);
    this.statistics = new Statistics(this.ops, this.factors);
    this.forms = new Forms(this.factors, this.statistics);
    this.filters = new Filters(b, block);
  }

  get graph(): Graph {
    return this.b.graph;
  }

  get block(): number {
    return this.ops.block;
  }

  /** Whether the value is computed in blocked order. */
  has(value: NodeInput | undefined): value is Value {
    return Boolean(value && this.counterparts.has(value));
  }

  /** Says how a value is computed in blocked order; its standard counterpart goes. */
  define(value: Value, result: Blocked | Form): void {
    this.counterparts.set(value, { form: 'terms' in result ? result : formOf(result) });
  }

  /** As `define`, for the product of two forms, which sums can take without computing it. */
  defineProduct(value: Value, f: Form, g: Form): void {
    this.counterparts.set(value, { product: [f, g] });
  }

  /** A blocked counterpart for those who want one; the standard value stays. */
  offer(value: Value, compute: () => Blocked): void {
    this.offers.set(value, compute);
  }

  /** Puts a standard value in the place of another. */
  replace(value: Value, replacement: Value): void {
    this.graph.replaceUses(value, replacement);
  }

  /** The value as a form; one that is in standard order is reordered. */
  form(value: Value): Form {
    const known = this.counterparts.get(value);
    if (known && 'form' in known) return known.form;
    return formOf(this.blocked(value));
  }

  productOf(value: Value): readonly [Form, Form] | undefined {
    const known = this.counterparts.get(value);
    return known && 'product' in known ? known.product : undefined;
  }

  /** The value, computed, in blocked order. */
  blocked(value: Value): Blocked {
    const known = this.counterparts.get(value);
    if (!known) {
      const offered = this.offers.get(value)?.() ?? this.ops.reorderInput(value, imageDims(value)!);
      this.offers.set(value, () => offered);
      return offered;
    }
    const result = 'form' in known ? this.compute(known.form) : this.multiply(...known.product);
    this.counterparts.set(value, { form: formOf(result) });
    return result;
  }

  /** Remembers that a standard value is the mean of a form, which subtracting it then centers. */
  noteMean(value: Value, form: Form): void {
    this.meanForms.set(value, form);
  }

  isMeanOf(value: Value, form: Form): boolean {
    const known = this.meanForms.get(value);
    return known !== undefined && known.offset === form.offset && sameTerms(known, form);
  }

  /** Computes a form: a pass for each term whose factor is not one, the others added on the way. */
  compute(form: Form, activation?: 'Relu'): Blocked {
    const known = activation ? undefined : this.computed.get(form);
    if (known) return known;
    const { b, ops } = this;
    const plain = form.terms.filter(term => term.factor === 1).map(term => term.x);
    const scaled = form.terms.filter(term => term.factor !== 1);
    const offset = this.forms.plainOffset(form);
    // An offset needs a pass even where no factor does.
    if (scaled.length === 0 && offset !== 0) scaled.push({ x: plain.pop()!, factor: 1, centered: false });
    let sum: Blocked | undefined;
    if (plain.length > 0) sum = { value: b.total(plain.map(x => x.value)), dims: form.dims };
    scaled.forEach(({ x, factor }, i) => {
      sum = ops.scale(x, this.vector(factor, x.dims[1]), {
        bias: i === 0 && offset !== 0 ? this.vector(offset, x.dims[1]) : undefined,
        sum: sum?.value,
        activation: i === scaled.length - 1 ? activation : undefined,
      });
    });
    if (!sum) throw new Error('a form without terms is no image');
    let result: Blocked = sum;
    if (activation && scaled.length === 0) result = { ...result, value: b.op(activation, [result.value]) };
    if (!activation) this.computed.set(form, result);
    return result;
  }

  /** Every `strides`-th pixel of images with zeros around them. */
  resampled(x: Blocked, window: Pick<Required<BlockedConv>, 'strides' | 'pads'>): Blocked {
    const copies = this.copies.get(x.value) ?? new Map<string, Blocked>();
    this.copies.set(x.value, copies);
    const key = `${window.strides} ${window.pads}`;
    const known = copies.get(key) ?? this.resample(x, window);
    copies.set(key, known);
    return known;
  }

  private resample(x: Blocked, window: Pick<Required<BlockedConv>, 'strides' | 'pads'>): Blocked {
    const { ops, b } = this;
    const [n, c, h, w] = x.dims;
    const [top, left, bottom, right] = window.pads;
    const [height, width] = [h + top + bottom, w + left + right].map(
      (size, i) => Math.floor((size - 1) / window.strides[i]!) + 1,
    ) as [number, number];
    const channels = ops.padded(c);
    const one = b.reshape(this.vector(1, c), [channels, 1, 1, 1]);
    const value = ops.conv(x.value, one, [n, channels, height, width], {
      ...window,
      kernel: [1, 1],
      group: channels,
    });
    return { value, dims: [n, c, height, width] };
  }

  private multiply(f: Form, g: Form): Blocked {
    return { value: this.b.mul(this.compute(f).value, this.compute(g).value), dims: f.dims };
  }

  /** A factor as a vector over the padded channels. */
  private vector(factor: Factor, channels: number): Value {
    const { b, ops } = this;
    const length = ops.padded(channels);
    if (typeof factor === 'number') {
      const values = new Float32Array(length).fill(factor, 0, channels);
      return b.constant(Tensor.float32([length], values), `${factor} in ${channels} of ${length} channels`);
    }
    const size = factor.fixedShape!.reduce((product, dim) => product * dim, 1);
    const flat =
      size === channels
        ? b.reshape(factor, [channels])
        : b.op('Expand', [b.reshape(factor, [1]), b.ints([channels])]);
    return b.pad(flat, [0, length - channels]);
  }

  /** Reorders what is read in standard order, starting from the graph's outputs, and lets go of the rest. */
  settle(): void {
    const seen = new Set<Value>();
    const stack = [...this.graph.outputs];
    while (stack.length > 0) {
      const value = stack.pop()!;
      if (seen.has(value)) continue;
      seen.add(value);
      if (this.counterparts.has(value)) {
        const reordered = this.ops.reorderOutput(this.blocked(value));
        this.graph.replaceUses(value, reordered);
        stack.push(reordered);
        continue;
      }
      for (const input of value.producer?.inputs ?? []) if (input) stack.push(input);
    }
  }
}

/** The sizes of float images, where all are known and none is zero. */
export function imageDims(value: Value | null | undefined): ImageDims | undefined {
  const shape = value?.fixedShape;
  if (value?.dtype !== 'float32' || shape?.length !== 4 || shape.includes(0)) return undefined;
  return shape as unknown as ImageDims;
}

const sameTerms = (f: Form, g: Form): boolean =>
  f.terms.length === g.terms.length &&
  f.terms.every((term, i) => {
    const other = g.terms[i]!;
    return term.x.value === other.x.value && term.factor === other.factor && term.centered === other.centered;
  });
