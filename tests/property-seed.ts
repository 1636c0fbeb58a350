import fc from 'fast-check';

/**
 * Property-based tests draw the same cases on every run, so that a change is judged by what it changes. Others are drawn
 * with `FC_SEED=$RANDOM npx vitest run`.
 */
const seed = Number(globalThis.process?.env?.FC_SEED ?? 20261121);
fc.configureGlobal({ seed });
