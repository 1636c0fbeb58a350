import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { StatePart, StateSlot } from './state.js';

/**
 * The memory of a step's states: two tensors each, which change roles with every step, so that no step allocates; one
 * where steps only read it.
 * Parts are read and written under their own names, wherever they lie.
 */
export class StateBuffers {
  readonly slots: readonly StateSlot[];
  private readonly pairs: Map<StateSlot, readonly [Tensor, Tensor]> = new Map();
  private readonly places: Map<string, readonly [slot: StateSlot, part: StatePart]> = new Map();
  /** Which tensor of each pair holds the present. */
  private present: 0 | 1 = 0;

  constructor(slots: readonly StateSlot[]) {
    this.slots = slots;
    for (const slot of slots) {
      const plain = new Float32Array(plainSize(slot));
      for (const part of slot.parts) {
        this.places.set(part.name, [slot, part]);
        const initial = slot.initial.get(part.name);
        if (initial) plain.set(initial.toFloat32(), part.offset);
      }
      const first = stored(slot, plain);
      const moves = slot.output !== undefined;
      const second = moves ? Tensor.float32(first.dims, new Float32Array(first.size)) : first;
      this.pairs.set(slot, [first, second]);
    }
  }

  /** Names of all parts: parameters, and what optimizer and methods keep. */
  get names(): Iterable<string> {
    return this.places.keys();
  }

  has(name: string): boolean {
    return this.places.has(name);
  }

  dimsOf(name: string): readonly number[] {
    return this.place(name)[1].dims;
  }

  /** What a step reads (0) and writes (1), now or after the next swap. */
  tensors(slot: StateSlot, side: 0 | 1): Tensor {
    return this.pairs.get(slot)![side];
  }

  get side(): 0 | 1 {
    return this.present;
  }

  /** What was written becomes the present. */
  swap(): void {
    this.present = this.present === 0 ? 1 : 0;
  }

  /** A copy of a part. @throws WhittleError where there is none of that name */
  read(name: string): Tensor {
    return this.copy(name, this.present);
  }

  /** A copy of what a part was before the last step. */
  readPrevious(name: string): Tensor {
    return this.copy(name, this.present === 0 ? 1 : 0);
  }

  /** @throws WhittleError where there is no such part, or its shape differs */
  write(name: string, tensor: Tensor): void {
    const [slot, part] = this.place(name);
    if (tensor.dims.length !== part.dims.length || tensor.dims.some((dim, i) => dim !== part.dims[i])) {
      throw new WhittleError(
        `the state has shape [${part.dims.join(', ')}], the new tensor [${tensor.dims.join(', ')}]`,
        { value: name },
      );
    }
    const memory = this.tensors(slot, this.present).data() as Float32Array;
    if (!slot.layout) {
      memory.set(tensor.toFloat32(), part.offset);
      return;
    }
    const plain = slot.layout.decode(this.tensors(slot, this.present)).toFloat32().slice();
    plain.set(tensor.toFloat32(), part.offset);
    memory.set(stored(slot, plain).toFloat32());
  }

  /** The present tensor of a whole unit, in plain layout; not a copy where it is stored so. */
  unit(input: string): Tensor {
    const slot = this.slots.find(other => other.input === input);
    if (!slot) throw new WhittleError('the step has no such state', { value: input });
    const tensor = this.tensors(slot, this.present);
    return slot.layout?.decode(tensor) ?? tensor;
  }

  private copy(name: string, side: 0 | 1): Tensor {
    const [slot, part] = this.place(name);
    const tensor = this.tensors(slot, side);
    const plain = (slot.layout?.decode(tensor) ?? tensor).toFloat32();
    return Tensor.float32(part.dims, plain.slice(part.offset, part.offset + sizeOf(part.dims)));
  }

  private place(name: string): readonly [StateSlot, StatePart] {
    const place = this.places.get(name);
    if (place) return place;
    throw new WhittleError('the step has no such parameter or state', { value: name });
  }
}

const plainSize = ({ parts }: StateSlot): number => {
  const last = parts.at(-1);
  return last ? last.offset + sizeOf(last.dims) : 0;
};

const stored = (slot: StateSlot, plain: Float32Array): Tensor => {
  const dims = slot.layout ? [plain.length] : slot.dims;
  const tensor = Tensor.float32(dims, plain);
  return slot.layout ? slot.layout.encode(tensor) : tensor;
};
