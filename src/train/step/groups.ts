import { WhittleError } from '../../graph/errors.js';
import type { Parameter } from '../../nn/parameter.js';

/** Parameters that are treated alike. The first group that matches counts. */
export interface ParameterGroup {
  /** Which parameters: by name, or by a test. */
  readonly match: RegExp | ((parameter: Parameter) => boolean);
  /** Multiplies the weight decay; 0 or `false` for none. Default: 1 for weights and embeddings, else 0. */
  readonly weightDecay?: number | boolean;
  /** Multiplies the learning rate; default 1. */
  readonly learningRate?: number;
}

/** @throws WhittleError for a factor that is no number, or negative */
export function checkGroups(groups: readonly ParameterGroup[]): void {
  for (const [i, { learningRate = 1, weightDecay = 1 }] of groups.entries()) {
    for (const [name, factor] of Object.entries({ learningRate, weightDecay })) {
      if (Number(factor) >= 0 && Number.isFinite(Number(factor))) continue;
      throw new WhittleError(`${name} of parameter group ${i} must be 0 or a positive number, not ${factor}`);
    }
  }
}

/** A group as the step knows it: same factors, same group. */
export interface Group {
  readonly name: string;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/**
 * Finds each parameter's group. By default biases and the scales of normalizations do not decay: decay would only
 * change their effective learning rate.
 */
export class Groups {
  private readonly groups: readonly ParameterGroup[];
  private readonly decays: boolean;
  private readonly exempt: (parameter: Parameter) => boolean;
  private readonly known: Map<string, Group> = new Map();

  /** @param decays whether there is weight decay at all; without it nothing is computed for it */
  constructor(
    groups: readonly ParameterGroup[],
    { decays, exempt }: { decays: boolean; exempt: (parameter: Parameter) => boolean },
  ) {
    this.groups = groups;
    this.decays = decays;
    this.exempt = exempt;
  }

  readonly of = (parameter: Parameter): Group => {
    const found = this.groups.find(({ match }) =>
      match instanceof RegExp ? match.test(parameter.name) : match(parameter),
    );
    const usual = parameter.kind === 'weight' || parameter.kind === 'embedding';
    const wanted = Number(found?.weightDecay ?? usual);
    const weightDecay = this.decays && !this.exempt(parameter) ? wanted : 0;
    const learningRate = found?.learningRate ?? 1;
    const name = `lr*${learningRate},wd*${weightDecay}`;
    const group = this.known.get(name) ?? { name, learningRate, weightDecay };
    this.known.set(name, group);
    return group;
  };
}
