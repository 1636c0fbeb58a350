import type { Random } from '../random.js';
import { type Draw, type Draws, half, integers } from './draw.js';

const MS = 'com.microsoft';

interface Heads {
  readonly batch: number;
  readonly heads: number;
  /** Of keys and values; groups of queries share them. */
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly valueWidth: number;
}

/** A list (batch, length, heads·width), read by head. */
const at = (
  x: ArrayLike<number>,
  [n, h, t, i]: readonly [number, number, number, number],
  heads: number,
  length: number,
  width: number,
): number => x[((n * length + t) * heads + h) * width + i]!;

/** Scaled dot-product attention from its formula; `score` may change a product, −Infinity hides a key. */
function attention(
  sizes: Heads,
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  score: (product: number, n: number, h: number, t: number, u: number) => number,
): number[] {
  const { batch, heads, kvHeads, queries, keys, width, valueWidth } = sizes;
  const out = new Array<number>(batch * queries * heads * valueWidth).fill(0);
  const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
  for (const n of range(batch)) {
    for (const h of range(heads)) {
      const own = Math.floor((h * kvHeads) / heads);
      for (const t of range(queries)) {
        const scores = range(keys).map(u => {
          const product = range(width).reduce(
            (sum, i) =>
              sum + at(q, [n, h, t, i], heads, queries, width) * at(k, [n, own, u, i], kvHeads, keys, width),
            0,
          );
          return score(product, n, h, t, u);
        });
        const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
        for (const i of range(valueWidth)) {
          out[((n * queries + t) * heads + h) * valueWidth + i] = range(keys).reduce(
            (sum, u) =>
              sum + (Math.exp(scores[u]!) / total) * at(v, [n, own, u, i], kvHeads, keys, valueWidth),
            0,
          );
        }
      }
    }
  }
  return out;
}

function drawHeads(random: Random): Heads {
  const kvHeads = random.integer(1, 2);
  const [batch, queries, keys, width, valueWidth] = integers(random, 5, 1, 3) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { batch, heads: kvHeads * random.integer(1, 2), kvHeads, queries, keys, width, valueWidth };
}

/** ONNX's own, from operator set 23 on. */
const standard: Draw = random => {
  const sizes = drawHeads(random);
  const { batch, heads, kvHeads, queries, keys, width, valueWidth } = sizes;
  const mask = random.pick(['none', 'none', 'float', 'bool'] as const);
  const isCausal = mask !== 'bool' && half(random);
  const scale = half(random) ? 0.7 : undefined;
  const hidden = (n: number, u: number): boolean => u > 0 && (n + u) % 2 === 1;
  return {
    variables: [
      { dims: [batch, queries, heads * width] },
      { dims: [batch, keys, kvHeads * width] },
      { dims: [batch, keys, kvHeads * valueWidth] },
      { dims: [queries, keys] },
    ],
    opset: 23,
    build: (b, [q, k, v, bias]) => {
      const seen = Array.from({ length: queries * keys }, (_, i) =>
        Number(!hidden(Math.floor(i / keys), i % keys)),
      );
      const given = {
        none: [],
        float: [bias!],
        bool: [b.cast(b.reshape(b.ints(seen), [queries, keys]), 'bool')],
      }[mask];
      return b.op('Attention', [q!, k!, v!, ...given], {
        q_num_heads: heads,
        kv_num_heads: kvHeads,
        ...(isCausal && { is_causal: 1 }),
        ...(scale !== undefined && { scale }),
      });
    },
    truth: (q, k, v, bias) => [
      attention(sizes, q, k, v, (product, _, __, t, u) => {
        if ((isCausal && u > t) || (mask === 'bool' && hidden(t, u))) return -Infinity;
        const added = mask === 'float' ? bias[t * keys + u]! : 0;
        return product * (scale ?? 1 / Math.sqrt(width)) + added;
      }),
    ],
  };
};

/** ONNX Runtime's, of projected queries, keys and values, with biases and a padding mask. */
const multiHead: Draw = random => {
  const drawn = drawHeads(random);
  const unidirectional = half(random);
  const keys = unidirectional ? drawn.queries : drawn.keys;
  const sizes = { ...drawn, keys, heads: drawn.kvHeads, valueWidth: drawn.width };
  const { batch, heads, queries, width } = sizes;
  const all = heads * width;
  const masked = half(random);
  const hidden = (n: number, u: number): boolean => masked && u > 0 && (n + u) % 2 === 1;
  const plus = (x: Float64Array, bias: Float64Array, from: number): Float64Array =>
    x.map((value, i) => value + bias[from + (i % all)]!);
  return {
    variables: [
      { dims: [batch, queries, all] },
      { dims: [batch, keys, all] },
      { dims: [batch, keys, all] },
      { dims: [3 * all] },
      { dims: [1, heads, queries, keys] },
    ],
    build: (b, [q, k, v, bias, added]) => {
      const seen = Array.from({ length: batch * keys }, (_, i) =>
        Number(!hidden(Math.floor(i / keys), i % keys)),
      );
      const mask = masked ? b.cast(b.reshape(b.ints(seen), [batch, keys]), 'int32') : null;
      const attributes = { num_heads: heads, ...(unidirectional && { unidirectional: 1 }) };
      return b.op('MultiHeadAttention', [q!, k!, v!, bias!, mask, added!], attributes, MS);
    },
    truth: (q, k, v, bias, added) => [
      attention(sizes, plus(q, bias, 0), plus(k, bias, all), plus(v, bias, 2 * all), (product, n, h, t, u) =>
        (unidirectional && u > t) || hidden(n, u)
          ? -Infinity
          : product / Math.sqrt(width) + added[(h * queries + t) * keys + u]!,
      ),
    ],
  };
};

/** ONNX Runtime's, projections included; the mask gives lengths or says which keys count. */
const selfAttention: Draw = random => {
  const drawn = drawHeads(random);
  const sizes = { ...drawn, keys: drawn.queries, heads: drawn.kvHeads, valueWidth: drawn.width };
  const { batch, heads, queries: length, width } = sizes;
  const [features, all] = [random.integer(1, 3), heads * width];
  const mask = random.pick(['none', 'lengths', 'keys'] as const);
  const unidirectional = half(random);
  const known = integers(random, batch, 1, length);
  const seen = (n: number, u: number): boolean => mask === 'none' || u < known[n]!;
  return {
    variables: [{ dims: [batch, length, features] }, { dims: [features, 3 * all] }, { dims: [3 * all] }],
    build: (b, [x, w, bias]) => {
      const keys = known.flatMap((_, n) => Array.from({ length }, (_, u) => Number(seen(n, u))));
      const given = {
        none: null,
        lengths: b.cast(b.ints(known), 'int32'),
        keys: b.cast(b.reshape(b.ints(keys), [batch, length]), 'int32'),
      }[mask];
      const attributes = { num_heads: heads, ...(unidirectional && { unidirectional: 1 }) };
      return b.op('Attention', [x!, w!, bias!, given], attributes, MS);
    },
    truth: (x, w, bias) => {
      const part = (p: number): number[] =>
        Array.from({ length: batch * length * all }, (_, i) => {
          const [row, column] = [Math.floor(i / all), p * all + (i % all)];
          return Array.from(
            { length: features },
            (_, f) => x[row * features + f]! * w[f * 3 * all + column]!,
          ).reduce((a, v) => a + v, bias[column]!);
        });
      return [
        attention(sizes, part(0), part(1), part(2), (product, n, _, t, u) =>
          (unidirectional && u > t) || !seen(n, u) ? -Infinity : product / Math.sqrt(width),
        ),
      ];
    },
  };
};

/** Turned pairs: halves of the width, or neighbours. */
const rotary =
  (domain: string): Draw =>
  random => {
    const [batch, heads, length, pairs] = random.shape(4, 3) as [number, number, number, number];
    const interleaved = half(random);
    const angle = (t: number, i: number): number => 0.3 + t * (i + 1) * 0.4;
    const table = (f: (x: number) => number): number[] =>
      Array.from({ length: length * pairs }, (_, i) => f(angle(Math.floor(i / pairs), i % pairs)));
    const width = 2 * pairs;
    return {
      variables: [
        { dims: [batch, heads, length, width] },
        { dims: [length, pairs], values: table(Math.cos) },
        { dims: [length, pairs], values: table(Math.sin) },
      ].slice(0, 1),
      opset: 23,
      build: (b, [x]) => {
        const constants = [Math.cos, Math.sin].map(f =>
          b.concat(
            table(f).map(v => b.reshape(b.scalar(v), [1])),
            0,
          ),
        );
        const [cos, sin] = constants.map(c => b.reshape(c, [length, pairs]));
        const places = b.op('Expand', [
          b.reshape(b.ints(Array.from({ length }, (_, t) => t)), [1, length]),
          b.ints([batch, 1]),
        ]);
        const attributes = { interleaved: Number(interleaved) };
        return domain === ''
          ? b.op('RotaryEmbedding', [x!, cos!, sin!, places], attributes)
          : b.op('RotaryEmbedding', [x!, places, cos!, sin!], attributes, domain);
      },
      truth: x => {
        const y = x.slice();
        for (let row = 0; row < y.length / width; row++) {
          for (let i = 0; i < pairs; i++) {
            const a = row * width + (interleaved ? 2 * i : i);
            const b = row * width + (interleaved ? 2 * i + 1 : pairs + i);
            const turn = angle(row % length, i);
            y[a] = x[a]! * Math.cos(turn) - x[b]! * Math.sin(turn);
            y[b] = x[a]! * Math.sin(turn) + x[b]! * Math.cos(turn);
          }
        }
        return [y];
      },
    };
  };

export const ATTENDING: Draws = {
  Attention: standard,
  RotaryEmbedding: rotary(''),
  [`${MS}.Attention`]: selfAttention,
  [`${MS}.MultiHeadAttention`]: multiHead,
  [`${MS}.RotaryEmbedding`]: rotary(MS),
};
