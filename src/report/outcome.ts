import type { BudgetOutcome } from '../compress/budget.js';
import { formatBytes, formatCosine, formatNumber } from './format.js';

/** A figure of a bound in the unit of the bound. */
export function figureOf({ bound }: BudgetOutcome, value: number): string {
  if (bound.startsWith('size')) return formatBytes(value);
  if (bound.startsWith('time')) return `×${formatNumber(Number(value.toPrecision(3)))}`;
  return bound.startsWith('cosine') ? formatCosine(value) : formatNumber(value);
}
