/** dlarfg: the elementary reflector H = I − τ v vᵀ that turns (α, x) into (β, 0). */
import { norm, scale } from './blas1';
import { clear, get, NOTHING, set } from './elements';

/** τ of the latest call. */
export let tau: f64 = 0;
/** β of the latest call. */
export let beta: f64 = 0;

/**
 * @param alpha address of α; becomes 1, the element of v that belongs to it
 * @param n length of x; x becomes the rest of v
 */
export function reflector(alpha: usize, n: i32, x: usize): void {
  const a = get(alpha, 0);
  const length = norm(n, x);
  set(alpha, 0, 1);
  if (length < NOTHING) {
    clear(n, x);
    tau = 0;
    beta = a;
    return;
  }
  const whole = Math.sqrt(a * a + length * length);
  beta = a > 0 ? -whole : whole;
  tau = (beta - a) / beta;
  scale(n, 1 / (a - beta), x);
}
