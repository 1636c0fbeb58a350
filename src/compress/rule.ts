import type { Layer } from './layer.js';
import type { Candidate, Method } from './method.js';
import type { Scored } from './score.js';

/** What was tried for a layer, and the choice by the error rule. */
export interface RuleDecision {
  /** `undefined`: the layer stays as it is. */
  readonly chosen: Scored | undefined;
  readonly tried: readonly Scored[];
}

/**
 * Of all that the methods propose for a layer, the smallest whose output error is at most `error` and that is smaller
 * than the layer as it is (R. Dyro's rule, for any number of methods).
 * @param measure the error of a candidate: by the closed form, or by running the layer
 */
export async function chooseByRule(
  layer: Layer,
  scale: { readonly before: number; bytesOf(candidate: Candidate): number },
  methods: readonly Method[],
  error: number,
  measure: (candidate: Candidate) => number | Promise<number>,
  forward = false,
): Promise<RuleDecision> {
  const tried: Scored[] = [];
  let chosen: Scored | undefined;
  const best = () => chosen?.bytes ?? scale.before;
  const score = async (candidate: Candidate): Promise<Scored> => {
    const scored = { candidate, bytes: scale.bytesOf(candidate), error: await measure(candidate) };
    tried.push(scored);
    if (scored.error <= error && scored.bytes < best()) chosen = scored;
    return scored;
  };
  for (const method of methods) {
    if (method.search) {
      const found = await method.search(layer, {
        error,
        bytes: best(),
        forward,
        measure: async candidate => measure(candidate),
      });
      if (found) await score(found);
      continue;
    }
    // From few bytes to many: the first that keeps the rule is the method's smallest.
    for (const candidate of method.propose(layer)) {
      const scored = await score(candidate);
      if (scored.error <= error) break;
    }
  }
  return { chosen, tried };
}
