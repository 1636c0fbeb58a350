import type { Factor, Factors } from './factors.js';
import type { Blocked, ImageDims } from './operators.js';
import type { Statistics } from './statistics.js';

/** factor · x, or factor · (x − mean x) where it is centered. */
export interface Term {
  readonly x: Blocked;
  readonly factor: Factor;
  readonly centered: boolean;
}

/**
 * An affine function, channel by channel, of images: Σ factor·x + offset. It stands for a value that is not computed
 * yet: BatchNorm, the residual added to it, and all of BatchNorm's gradient are such functions, whatever way they are
 * written in, and one or two passes compute them.
 */
export interface Form {
  readonly dims: ImageDims;
  readonly terms: readonly Term[];
  readonly offset: Factor;
}

export const formOf = (x: Blocked): Form => ({
  dims: x.dims,
  terms: [{ x, factor: 1, centered: false }],
  offset: 0,
});

/** Algebra of forms, and their means over batch and positions. */
export class Forms {
  readonly factors: Factors;
  private readonly statistics: Statistics;

  constructor(factors: Factors, statistics: Statistics) {
    this.factors = factors;
    this.statistics = statistics;
  }

  add(f: Form, g: Form): Form {
    const { factors } = this;
    const terms = [...f.terms];
    let offset = factors.add(f.offset, g.offset);
    for (const term of g.terms) {
      const i = terms.findIndex(t => t.x.value === term.x.value);
      if (i < 0) {
        terms.push(term);
        continue;
      }
      const known = terms[i]!;
      const centered = known.centered && term.centered;
      if (!centered) {
        for (const t of [known, term]) offset = factors.add(offset, this.recentering(t));
      }
      terms[i] = { x: term.x, factor: factors.add(known.factor, term.factor), centered };
    }
    const left = terms.filter(term => term.factor !== 0);
    return { dims: f.dims, terms: left.length > 0 ? left : terms.slice(0, 1), offset };
  }

  scale(f: Form, factor: Factor): Form {
    const { factors } = this;
    return {
      dims: f.dims,
      terms: f.terms.map(term => ({ ...term, factor: factors.mul(term.factor, factor) })),
      offset: factors.mul(f.offset, factor),
    };
  }

  shift(f: Form, offset: Factor): Form {
    return { ...f, offset: this.factors.add(f.offset, offset) };
  }

  /** f − mean f. */
  center(f: Form): Form {
    return { ...f, terms: f.terms.map(term => ({ ...term, centered: true })), offset: 0 };
  }

  mean(f: Form): Factor {
    const { factors } = this;
    return f.terms.reduce<Factor>(
      (sum, term) => (term.centered ? sum : factors.add(sum, this.termMean(term))),
      f.offset,
    );
  }

  /** Mean of f·g. Centered terms have covariances, which no offset disturbs. */
  meanProduct(f: Form, g: Form): Factor {
    const { factors, statistics } = this;
    const [meanF, meanG] = [f, g].map(form => this.mean({ ...form, offset: 0 })) as [Factor, Factor];
    let sum = factors.mul(f.offset, g.offset);
    sum = factors.add(sum, factors.mul(f.offset, meanG));
    sum = factors.add(sum, factors.mul(g.offset, meanF));
    for (const s of f.terms) {
      for (const t of g.terms) {
        const moment =
          s.centered || t.centered ? statistics.covariance(s.x, t.x) : statistics.meanProduct(s.x, t.x);
        sum = factors.add(sum, factors.mul(factors.mul(s.factor, t.factor), moment));
      }
    }
    return sum;
  }

  /** The offset once no term is centered any more. */
  plainOffset(f: Form): Factor {
    return f.terms.reduce<Factor>((sum, term) => this.factors.add(sum, this.recentering(term)), f.offset);
  }

  private recentering(term: Term): Factor {
    return term.centered ? this.factors.mul(this.termMean(term), -1) : 0;
  }

  private termMean({ x, factor }: Term): Factor {
    return this.factors.mul(factor, this.statistics.mean(x));
  }
}
