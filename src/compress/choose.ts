import type { Method, MethodSettings, Probe, Proposal } from './method.js';
import type { Site } from './sites.js';

/** Everything that was tried for a site, and the choice. */
export interface Decision {
  readonly site: Site;
  readonly bytesBefore: number;
  /** `undefined`: the layer stays as it is. */
  readonly chosen: Proposal | undefined;
  readonly tried: readonly Proposal[];
  readonly reason: string;
}

/**
 * Of all that the methods propose for a site, the smallest that keeps the error rule and is smaller than the layer
 * as it is.
 */
export async function chooseForSite(
  site: Site,
  probe: Probe,
  methods: readonly Method[],
  settings: MethodSettings,
): Promise<Decision> {
  const tried: Proposal[] = [];
  let chosen: Proposal | undefined;
  const best = () => chosen?.bytes ?? probe.bytes;
  for (const method of methods) {
    for await (const proposal of method.propose(site, probe, settings, best)) {
      tried.push(proposal);
      if (proposal.error <= settings.error && proposal.bytes < best()) chosen = proposal;
    }
  }
  return { site, bytesBefore: probe.bytes, chosen, tried, reason: reasonFor(chosen, tried, settings) };
}

function reasonFor(
  chosen: Proposal | undefined,
  tried: readonly Proposal[],
  { error }: MethodSettings,
): string {
  const bound = `${+(error * 100).toPrecision(3)}%`;
  if (chosen) return `smallest within ${bound}`;
  if (tried.length === 0) return 'nothing is smaller';
  if (tried.every(proposal => !(proposal.error <= error))) return `nothing within ${bound}`;
  return 'no smaller than it is';
}
