import { describe, expect, it } from 'vitest';
import { type Case, checkGradients } from './check.js';
import { Random } from './random.js';

/** What broadcasts to what; sizes 1 and 0, and a rank that one side lacks. */
const PAIRS: readonly [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [1, 3],
    [2, 1],
  ],
  [[], [2, 2]],
  [
    [4, 1, 2],
    [3, 1],
  ],
  [
    [2, 0],
    [2, 1],
  ],
];

interface Binary {
  readonly first?: readonly [number, number];
  readonly second?: readonly [number, number];
}

const BINARY: Record<string, Binary> = {
  Add: {},
  Sub: {},
  Mul: {},
  Div: { second: [0.5, 2] },
  Pow: { first: [0.3, 2], second: [-1.5, 2.5] },
  Max: {},
  Min: {},
};

describe('gradients of elementwise operators', () => {
  for (const [op, { first, second }] of Object.entries(BINARY)) {
    it.each(PAIRS)(`${op} of %j and %j`, async (a, b) => {
      const random = new Random(1);
      for (const symbolic of [false, true]) {
        const variables = [
          { dims: a, symbolic, ...(first && { from: first }) },
          { dims: b, symbolic, ...(second && { from: second }) },
        ];
        await checkGradients({ variables, build: (g, xs) => g.op(op, xs), truth: 'float64' }, random);
      }
    });
  }

  it('Sum of three', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2, 3] }, { dims: [3] }, { dims: [2, 1] }],
        build: (g, xs) => g.op('Sum', xs),
        truth: 'float64',
      },
      new Random(2),
    );
  });
});

type Unary = readonly [op: string, domain?: readonly [number, number]];

const UNARY_FLOAT64: readonly Unary[] = [
  ['Abs', [0.2, 2]],
  ['Neg'],
  ['Sqrt', [0.3, 3]],
  ['Reciprocal', [0.4, 2]],
  ['Exp'],
  ['Log', [0.3, 3]],
  ['Sin'],
  ['Cos'],
  ['Sigmoid'],
  ['Tanh'],
  ['Relu', [0.1, 2]],
  ['Relu', [-2, -0.1]],
];

describe('gradients of functions of one value', () => {
  for (const [op, from] of UNARY_FLOAT64) {
    it(`${op} of ${from ?? 'any'}`, async () => {
      const random = new Random(3);
      for (const dims of [[], [7], [2, 1, 3], [0, 2]]) {
        const variables = [{ dims, ...(from && { from }) }];
        await checkGradients({ variables, build: (b, xs) => b.op(op, xs), truth: 'float64' }, random);
      }
    });
  }

  it('has zero gradient where a function is flat', async () => {
    for (const op of ['Floor', 'Ceil', 'Sign', 'Round']) {
      await checkGradients(
        {
          variables: [{ dims: [3], values: [0.2, 1.3, -2.7] }],
          build: (b, xs) => b.op(op, xs),
          truth: 'float64',
        },
        new Random(4),
      );
    }
  });
});

describe('the check itself', () => {
  it('rejects a wrong gradient', async () => {
    const test: Case = {
      variables: [{ dims: [3] }],
      build: (b, xs) => b.op('Exp', xs),
      truth: 'float64',
      options: {
        vjps: { Exp: ({ build: b, gradient, output }) => [b.mul(b.mul(gradient, output(0)), 1.001)] },
      },
    };
    await expect(checkGradients(test, new Random(5))).rejects.toThrow(/gradient .* difference/);
  });
});

describe('gradients of choices and bounds', () => {
  it('Where, with every part broadcast', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2, 3] }, { dims: [3] }],
        build: (b, [x, y]) => b.where(b.binary('Greater', b.op('Sin', [b.mul(x!, 3)]), 0.1), x!, y!),
        truth: 'float64',
      },
      new Random(6),
    );
  });

  it('Clip by constants and by values', async () => {
    const random = new Random(7);
    for (const dims of [[9], [2, 0]]) {
      await checkGradients(
        {
          variables: [{ dims }, { dims: [], values: [-0.61] }, { dims: [], values: [0.53] }],
          build: (b, xs) => b.op('Clip', xs),
          truth: 'float64',
        },
        random,
      );
    }
    await checkGradients(
      {
        variables: [{ dims: [9] }],
        build: (b, [x]) => b.op('Clip', [x!, null, b.scalar(0.4, x!.dtype)]),
        truth: 'float64',
      },
      random,
    );
  });

  it('Pow with constant exponents', async () => {
    for (const exponent of [0, 1, 2, 3, 0.5, -1]) {
      await checkGradients(
        {
          variables: [{ dims: [5], from: [0.3, 2] }],
          build: (b, [x]) => b.pow(x!, exponent),
          truth: 'float64',
        },
        new Random(8),
      );
    }
  });

  it('Mod', async () => {
    await checkGradients(
      {
        variables: [
          { dims: [4], values: [5.3, -2.2, 7.9, 1.1] },
          { dims: [1], values: [1.7] },
        ],
        build: (b, xs) => b.op('Mod', xs, { fmod: 1 }),
        truth: 'float64',
      },
      new Random(9),
    );
  });
});
