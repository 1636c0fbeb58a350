import type { Session, Tensors } from '../runtime/index.js';
import { Agreement } from './agreement.js';
import type { OutputAgreement } from './report.js';

/** Runs both models on the same inputs and compares every float output. */
export async function compareOutputs(
  original: Session,
  compressed: Session,
  samples: readonly Tensors[],
  onSample?: (done: number) => void,
): Promise<OutputAgreement[]> {
  const agreements = new Map<string, Agreement>();
  for (const [i, sample] of samples.entries()) {
    const expected = await original.run(sample);
    const actual = await compressed.run(sample);
    for (const [name, tensor] of Object.entries(expected)) {
      if (tensor.dtype === 'string') continue;
      const agreement = agreements.get(name) ?? new Agreement(name);
      agreements.set(name, agreement);
      agreement.add(tensor, actual[name]!);
    }
    onSample?.(i + 1);
  }
  return [...agreements.values()].map(agreement => agreement.result);
}
