import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Network } from '../nn/network.js';
import { loadWeightsFile, saveWeightsFile } from '../nn/weights.node.js';
import { loadModel } from '../onnx/load.node.js';
import { prepareNetwork } from '../train/prepare.js';
import { type Figures, type FinishedRun, type Needed, needsOf, type Study, trains } from './define.js';

const WEIGHTS = 'weights.safetensors';

export interface NeededOptions {
  readonly study: Study;
  readonly arm: string;
  readonly seed: number;
  readonly values: Readonly<Record<string, unknown>>;
  readonly scratch: string;
  /** Keys of this seed's runs, by arm. */
  readonly keys: Readonly<Record<string, string>>;
  /** Figures of needed runs, by arm. */
  readonly known: Readonly<Record<string, Figures>>;
}

export const saveWeights = (network: Network, folder: string): Promise<void> =>
  saveWeightsFile(network, join(folder, WEIGHTS));

/** Whether what a run left behind is still there for runs that need it. */
export const isKept = (scratch: string, key: string): boolean => existsSync(join(scratch, key, 'model.onnx'));

/** Gives a run the runs that its arm needs. */
export function neededRuns(options: NeededOptions): Needed {
  const { study, arm, seed, values, scratch, keys, known } = options;
  return async name => {
    if (!needsOf(study.arms[arm]!).includes(name)) {
      throw new WhittleError(`the arm "${arm}" asks for "${name}", which it does not need`, {
        hint: `Add it to the arm: needs: '${name}'`,
      });
    }
    const folder = join(scratch, keys[name]!);
    const definition = study.arms[name]!;
    const run: FinishedRun = {
      figures: known[name] ?? {},
      model: () => loadModel(join(folder, 'model.onnx')),
      async network() {
        if (!trains(definition)) {
          throw new WhittleError(`the arm "${name}" derives its model and has no network`, {
            hint: 'Take its model()',
          });
        }
        const { network, methods = [] } = await definition.train(
          values,
          seed,
          neededRuns({ ...options, arm: name }),
        );
        // As the training did before its first step, so that the parameters are those that were saved.
        const copy = prepareNetwork(network, methods);
        loadWeightsFile(copy, join(folder, WEIGHTS));
        return copy;
      },
    };
    return run;
  };
}
