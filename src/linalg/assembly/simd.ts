/** Two float64 lanes. The relaxed build fuses multiply and add where the processor can; the plain build rounds twice. */

/** a · b + c, lane by lane. */
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(f64x2.mul(a, b), c);
}

/** Sum of both lanes. */
export function laneSum(a: v128): f64 {
  return f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
}

export function zeros(): v128 {
  return f64x2.splat(0);
}
