import { WhittleError } from '../graph/errors.js';
import { matmulBytes } from './forecast.js';
import { assertMatrix, type DenseMatrix, dense, type Matrix, rowOf } from './matrix.js';
import { read, withKernels, write } from './workspace.js';

/** Rows that are added at once: the depth of one packed block of the product. */
const CHUNK = 512;

/**
 * aᵀ a in float64, n × n for an m × n matrix, both triangles filled.
 * @throws WhittleError for NaN and infinite elements
 */
export function gram(a: Matrix): DenseMatrix {
  const sum = new GramAccumulator(a.cols);
  sum.add(a);
  return sum.sum();
}

/**
 * Sums xᵀ x over rows x that arrive in blocks, in float64. The rows are added in groups of a fixed size, so the result
 * has the same bits however they were cut into blocks.
 */
export class GramAccumulator {
  readonly size: number;
  /** Rows added so far. */
  count = 0;
  private readonly total: DenseMatrix;
  private readonly pending: DenseMatrix;
  private waiting = 0;

  /** @param size number of columns of every block */
  constructor(size: number) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new WhittleError(`GramAccumulator: size is ${size}, but must be a positive integer`);
    }
    this.size = size;
    this.total = dense(new Float64Array(size * size), size, size);
    this.pending = dense(new Float64Array(CHUNK * size), CHUNK, size);
  }

  /** Adds a block of rows. @throws WhittleError where its width differs */
  add(block: Matrix): void {
    assertMatrix(block, 'block');
    if (block.cols !== this.size) {
      throw new WhittleError(`GramAccumulator: a block has ${block.cols} columns, expected ${this.size}`);
    }
    for (let i = 0; i < block.rows; i++) {
      this.pending.data.set(rowOf(block, i), this.waiting * this.size);
      this.waiting++;
      if (this.waiting === CHUNK) this.flush();
    }
    this.count += block.rows;
  }

  /** The sum so far, size × size, a copy. @throws WhittleError where a row held NaN or infinity */
  sum(): DenseMatrix {
    const { size } = this;
    const data = this.waiting > 0 ? this.withPending() : this.total.data.slice();
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < i; j++) data[j * size + i] = data[i * size + j]!;
    }
    return dense(data, size, size);
  }

  private flush(): void {
    this.total.data.set(this.withPending());
    this.waiting = 0;
  }

  private withPending(): Float64Array<ArrayBuffer> {
    const { size, waiting } = this;
    return withKernels(matmulBytes(size, waiting, size), `gram matrix of ${size} columns`, kernels => {
      const block = dense(this.pending.data.subarray(0, waiting * size), waiting, size);
      const rows = write(kernels, block, 'block');
      const total = write(kernels, this.total, 'sum');
      kernels.syrk(size, waiting, 1, rows, 1, size, true, total, size);
      return read(kernels, total, size * size);
    });
  }
}
