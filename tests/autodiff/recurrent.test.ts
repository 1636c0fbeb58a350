import { describe, it } from 'vitest';
import { checkGradients } from './check.js';
import { Random } from './random.js';
import { gru, lstm, type Sizes } from './recurrence.js';

const ARCHITECTURES = [
  ['LSTM', 4, false],
  ['GRU', 3, false],
  ['GRU', 3, true],
] as const;

// ONNX Runtime has no float64 LSTM or GRU: the differences are those of the formulas.
describe('gradients of recurrent operators', () => {
  for (const [op, gates, linearBeforeReset] of ARCHITECTURES) {
    for (const direction of ['forward', 'reverse', 'bidirectional'] as const) {
      it(`${op} ${direction}${linearBeforeReset ? ', linear before reset' : ''}`, async () => {
        const sizes: Sizes = { steps: 3, batch: 2, features: 2, hidden: 2, direction, linearBeforeReset };
        const dirs = direction === 'bidirectional' ? 2 : 1;
        const states = op === 'LSTM' ? 2 : 1;
        await checkGradients(
          {
            variables: [
              { dims: [3, 2, 2] },
              { dims: [dirs, gates * 2, 2] },
              { dims: [dirs, gates * 2, 2] },
              { dims: [dirs, 2 * gates * 2] },
              ...Array.from({ length: states }, () => ({ dims: [dirs, 2, 2] })),
            ],
            build: (b, [x, w, r, bias, ...initial]) =>
              b
                .node(
                  op,
                  [x!, w!, r!, bias!, null, ...initial],
                  { hidden_size: 2, direction, ...(linearBeforeReset && { linear_before_reset: 1 }) },
                  1 + states,
                )
                .outputs.map(o => o!),
            truth: (x, w, r, ...rest) => (op === 'LSTM' ? lstm : gru)(sizes, x, w, r, ...rest),
          },
          new Random(1),
        );
      });
    }
  }

  it('LSTM with peepholes, and no bias or initial state', async () => {
    const sizes: Sizes = { steps: 2, batch: 1, features: 2, hidden: 2, direction: 'forward' };
    await checkGradients(
      {
        variables: [{ dims: [2, 1, 2] }, { dims: [1, 8, 2] }, { dims: [1, 8, 2] }, { dims: [1, 6] }],
        build: (b, [x, w, r, p]) =>
          b.op('LSTM', [x!, w!, r!, null, null, null, null, p!], { hidden_size: 2 }),
        truth: (x, w, r, p) => lstm(sizes, x, w, r, undefined, undefined, undefined, p),
      },
      new Random(2),
    );
  });
});
