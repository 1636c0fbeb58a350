import type { DimRule } from './definition.js';

/** The inputs of a recurrent layer may go; its state stays. */
const recurrent: DimRule = {
  ops: ['LSTM', 'GRU', 'RNN'],
  pass(c) {
    const reason = 'it is the state of a recurrent layer';
    c.join(c.axes(0)[2]!, c.axes(1)[2]!);
    c.contract(0, 2);
    c.fix(c.axes(0).slice(0, 2), reason);
    c.fix(c.axes(1).slice(0, 2), reason);
    for (let input = 2; input < c.node.inputs.length; input++) if (c.has(input)) c.fix(c.axes(input), reason);
  },
};

export const RECURRENT = [recurrent];
