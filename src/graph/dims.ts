import type { Dim, Shape } from './value.js';

/**
 * Arithmetic on dimensions. A dimension is a number, the name of an unknown size, an expression over such names,
 * or `null`. Expressions are polynomials with integer coefficients whose atoms are names and `floor(p/n)`;
 * they are kept as strings in canonical form (`2*w + 1`, `floor((w - 1)/2)`), so that equal strings mean equal
 * sizes and a value's shape stays plain data. Exporters write the same notation (`past_length + 1`).
 *
 * A polynomial maps each product of atoms (sorted, joined by `*`; '' for the constant term) to its coefficient.
 */
type Polynomial = Map<string, number>;

/** Longer expressions help nobody and could grow without bound in a deep network. */
const MAX_LENGTH = 160;

/** Product separator inside keys: it cannot occur in an atom, while `*` can (inside `floor(…)`). */
const TIMES = '\u0000';

const constantOf = (p: Polynomial): number | undefined =>
  p.size === 0 ? 0 : p.size === 1 && p.has('') ? p.get('')! : undefined;

function addTerm(p: Polynomial, key: string, coefficient: number): void {
  const sum = (p.get(key) ?? 0) + coefficient;
  if (sum === 0) p.delete(key);
  else p.set(key, sum);
}

function sum(a: Polynomial, b: Polynomial, scale = 1): Polynomial {
  const result = new Map(a);
  for (const [key, coefficient] of b) addTerm(result, key, scale * coefficient);
  return result;
}

function product(a: Polynomial, b: Polynomial): Polynomial {
  const result: Polynomial = new Map();
  for (const [keyA, x] of a) {
    for (const [keyB, y] of b) {
      const atoms = [...keyA.split(TIMES), ...keyB.split(TIMES)].filter(Boolean).sort();
      addTerm(result, atoms.join(TIMES), x * y);
    }
  }
  return result;
}

function render(p: Polynomial): Dim {
  const constant = constantOf(p);
  if (constant !== undefined) return constant;
  // Names first, the constant last, as one writes it.
  const terms = [...p].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  let text = '';
  for (const [key, coefficient] of terms) {
    const size = Math.abs(coefficient);
    const atoms = key.split(TIMES).join('*');
    const term = key === '' ? String(size) : size === 1 ? atoms : `${size}*${atoms}`;
    if (text === '') text = coefficient < 0 ? `-${term}` : term;
    else text += coefficient < 0 ? ` - ${term}` : ` + ${term}`;
  }
  return text.length > MAX_LENGTH ? null : text;
}

/** Reads what `render` writes. Anything else, e.g. a name with odd characters, is one atom. */
function parse(dim: number | string): Polynomial {
  if (typeof dim === 'number') return dim === 0 ? new Map() : new Map([['', dim]]);
  // A hyphen or a dot inside a word belongs to the name; an operator stands apart from it.
  const tokens = dim.match(/[A-Za-z_][\w.:-]*|\d+|\s+- |[-+*/()]|\S/g)?.map(t => t.trim()) ?? [];
  let at = 0;
  const atom = (): Polynomial | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (/^\d+$/.test(token)) return parse(Number(token));
    if (token === '-') {
      const rest = atom();
      return rest && product(rest, parse(-1));
    }
    if (token === '(') {
      const inner = expression();
      return tokens[at++] === ')' ? inner : undefined;
    }
    if (token === 'floor' && tokens[at] === '(') {
      at++;
      const inner = factor();
      if (tokens[at++] !== '/') return undefined;
      const divisor = Number(tokens[at++]);
      if (tokens[at++] !== ')' || !Number.isInteger(divisor) || divisor < 1) return undefined;
      return inner && floorOf(inner, divisor);
    }
    return /^[A-Za-z_]/.test(token) ? new Map([[token, 1]]) : undefined;
  };
  const factor = (): Polynomial | undefined => {
    let left = atom();
    while (left && tokens[at] === '*') {
      at++;
      const right = atom();
      left = right && product(left, right);
    }
    return left;
  };
  const expression = (): Polynomial | undefined => {
    let left = factor();
    while (left && (tokens[at] === '+' || tokens[at] === '-')) {
      const sign = tokens[at++] === '+' ? 1 : -1;
      const right = factor();
      left = right && sum(left, right, sign);
    }
    return left;
  };
  if (dim.length > MAX_LENGTH) return new Map([[dim, 1]]);
  const read = expression();
  return read && at === tokens.length ? read : new Map([[dim, 1]]);
}

/**
 * floor(p / n): what n divides comes out, nested floors collapse, the rest becomes an atom; `undefined` where that
 * would be too long to write.
 */
function floorOf(p: Polynomial, divisor: number): Polynomial | undefined {
  const whole: Polynomial = new Map();
  const rest: Polynomial = new Map();
  for (const [key, coefficient] of p) {
    if (coefficient % divisor === 0) whole.set(key, coefficient / divisor);
    else if (key === '') {
      const quotient = Math.floor(coefficient / divisor);
      addTerm(whole, '', quotient);
      addTerm(rest, '', coefficient - quotient * divisor);
    } else rest.set(key, coefficient);
  }
  const constant = constantOf(rest);
  if (constant !== undefined) return whole; // 0 <= constant < divisor
  const shift = rest.get('') ?? 0;
  const [only] = [...rest].filter(([key]) => key !== '');
  const nested = /^floor\((.*)\/(\d+)\)$/s.exec(only![0]);
  if (rest.size === (shift === 0 ? 1 : 2) && only![1] === 1 && nested && !only![0].includes(TIMES)) {
    // floor((floor(x/a) + c)/b) = floor((x + a·c)/(a·b))
    const inner = Number(nested[2]);
    const numerator = sum(parse(nested[1]!), parse(inner * shift));
    const outer = floorOf(numerator, inner * divisor);
    return outer && sum(whole, outer);
  }
  const text = render(rest);
  if (text === null) return undefined;
  addTerm(whole, `floor(${rest.size > 1 ? `(${text})` : text}/${divisor})`, 1);
  return whole;
}

const isNumber = (dim: Dim): dim is number => typeof dim === 'number';

/** a + b; `null` where it cannot be told. */
export function addDims(a: Dim, b: Dim): Dim {
  if (isNumber(a) && isNumber(b)) return a + b;
  if (a === null || b === null) return null;
  if (!exact(a) || !exact(b)) return null;
  return render(sum(parse(a), parse(b)));
}

/** a − b, as `addDims`. */
export function subDims(a: Dim, b: Dim): Dim {
  if (isNumber(a) && isNumber(b)) return a - b;
  if (a === null || b === null || !exact(a) || !exact(b)) return null;
  return render(sum(parse(a), parse(b), -1));
}

/** a · b, as `addDims`; zero times anything is zero. */
export function mulDims(a: Dim, b: Dim): Dim {
  if (a === 0 || b === 0) return 0;
  if (isNumber(a) && isNumber(b)) return a * b;
  if (a === null || b === null || !exact(a) || !exact(b)) return null;
  return render(product(parse(a), parse(b)));
}

/** Expressions have integer coefficients only. */
const exact = (dim: number | string): boolean => typeof dim === 'string' || Number.isSafeInteger(dim);

/** floor(a / b) for a positive b; of symbols only where b is a number or divides a exactly. */
export function floorDiv(a: Dim, b: Dim): Dim {
  if (a === null || b === null || b === 0) return null;
  if (isNumber(a) && isNumber(b)) return Math.floor(a / b);
  if (!isNumber(b)) return divExact(a, b);
  const quotient = Number.isInteger(b) && b > 0 && exact(a) ? floorOf(parse(a), b) : undefined;
  return quotient ? render(quotient) : null;
}

/** ceil(a / b), as `floorDiv`. */
export const ceilDiv = (a: Dim, b: number): Dim => floorDiv(addDims(a, b - 1), b);

/** a / b where it comes out even for all sizes of the symbols, else `null`. */
export function divExact(a: Dim, b: Dim): Dim {
  if (a === null || b === null || b === 0) return null;
  if (isNumber(a) && isNumber(b)) return a % b === 0 ? a / b : null;
  if (sameDim(a, b)) return 1;
  if (!exact(a) || !exact(b)) return null;
  const divisor = [...parse(b)];
  if (divisor.length !== 1) return null;
  const [key, coefficient] = divisor[0]!;
  const result: Polynomial = new Map();
  for (const [term, x] of parse(a)) {
    const atoms = term.split(TIMES).filter(Boolean);
    for (const atom of key.split(TIMES).filter(Boolean)) {
      const index = atoms.indexOf(atom);
      if (index < 0) return null;
      atoms.splice(index, 1);
    }
    if (x % coefficient !== 0) return null;
    addTerm(result, atoms.join(TIMES), x / coefficient);
  }
  return render(result);
}

/** Whether two dimensions are known to be the same size. */
export function sameDim(a: Dim, b: Dim): boolean {
  if (a === b) return a !== null;
  if (typeof a !== 'string' || typeof b !== 'string') return false;
  return subDims(a, b) === 0;
}

/** Product of all dimensions: the number of elements. */
export const countOf = (shape: Shape): Dim => shape.reduce<Dim>(mulDims, 1);

/** Puts numbers in the place of names. */
export function substitute(dim: Dim, sizes: ReadonlyMap<string, number>): Dim {
  if (typeof dim !== 'string') return dim;
  const known = sizes.get(dim);
  if (known !== undefined) return known;
  let result: Dim = 0;
  for (const [key, coefficient] of parse(dim)) {
    let term: Dim = coefficient;
    for (const atom of key.split(TIMES).filter(Boolean)) {
      const nested = /^floor\((.*)\/(\d+)\)$/s.exec(atom);
      term = mulDims(
        term,
        nested
          ? floorDiv(substitute(stripParentheses(nested[1]!), sizes), Number(nested[2]))
          : (sizes.get(atom) ?? atom),
      );
    }
    result = addDims(result, term);
  }
  return result;
}

/** The outer pair of `(w + 1)`, where it is one pair. */
function stripParentheses(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0 && i < text.length - 1) return text;
  }
  return text.slice(1, -1);
}
