/** Subscripts of `ij,jk->ik`: letters of each operand and of the result; `…` stands for the ellipsis. */
export function readEquation(equation: string): { operands: string[][]; result: string[] } {
  const [left, right] = equation.replaceAll(' ', '').replaceAll('...', '…').split('->') as [string, string?];
  const operands = left.split(',').map(term => [...term]);
  if (right !== undefined) return { operands, result: [...right] };
  // Without a result: the ellipsis, then the letters that occur once, in order of the alphabet.
  const all = operands.flat();
  const once = all.filter(letter => letter !== '…' && all.indexOf(letter) === all.lastIndexOf(letter));
  return { operands, result: [...(all.includes('…') ? ['…'] : []), ...once.sort()] };
}
