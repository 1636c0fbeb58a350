/**
 * Exit codes: all well, an error that the message explains, a command line that makes no sense, a result that does not
 * hold its budget, Ctrl-C.
 */
export const EXIT = { ok: 0, error: 1, usage: 2, budgetMissed: 3, interrupted: 130 } as const;

/** Ends a verb that has said already what does not hold. */
export class BudgetMissed extends Error {}
