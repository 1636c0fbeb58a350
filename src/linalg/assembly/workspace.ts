/**
 * The working memory of all kernels: one stack. A routine notes `mark()`, takes what it needs, and gives everything
 * back with `release`. Linear memory only grows; `peakBytes` tells how far.
 */
const FIRST: usize = (__heap_base + 63) & ~63;
let top: usize = FIRST;
let peak: usize = FIRST;

export function mark(): usize {
  return top;
}

export function release(to: usize): void {
  top = to;
}

/** Makes sure that `bytes` more can be taken; false where the engine refuses to grow the memory. */
export function reserve(bytes: f64): bool {
  const needed = <f64>top + bytes;
  const have = <f64>memory.size() * 65536;
  if (needed <= have) return true;
  if (needed > 4294901760) return false;
  return memory.grow(<i32>Math.ceil((needed - have) / 65536)) >= 0;
}

/** Room for `count` float64 numbers, aligned to a cache line, not cleared. Traps where memory has run out. */
export function take(count: i32): usize {
  const p = top;
  const bytes: usize = ((<usize>count << 3) + 63) & ~63;
  if (!reserve(<f64>bytes)) unreachable();
  top = p + bytes;
  if (top > peak) peak = top;
  return p;
}

/** Highest address ever in use. */
export function peakBytes(): f64 {
  return <f64>peak;
}
