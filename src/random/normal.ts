/**
 * Quantile function of the standard normal distribution: the z with Φ(z) = p, to about 16 digits.
 * Wichura, "Algorithm AS 241", Applied Statistics 37 (1988), routine PPND16.
 * @param p strictly between 0 and 1
 */
export function standardNormalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(CENTRE, 0.180625 - q * q);
  const r = Math.sqrt(-logarithm(Math.min(p, 1 - p)));
  const z = r <= 5 ? ratio(MIDDLE, r - 1.6) : ratio(TAIL, r - 5);
  return q < 0 ? -z : z;
}

/** Coefficients of a polynomial over a polynomial, constant terms first. */
type Rational = readonly [numerator: readonly number[], denominator: readonly number[]];

const CENTRE: Rational = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
    67265.7709270087, 33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
];

const MIDDLE: Rational = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
];

const TAIL: Rational = [
  [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
  ],
  [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
  ],
];

const ratio = ([numerator, denominator]: Rational, x: number): number =>
  degreeSeven(numerator, x) / degreeSeven(denominator, x);

// Horner's rule, written out: initializers draw millions of numbers.
const degreeSeven = (c: readonly number[], x: number): number =>
  ((((((c[7]! * x + c[6]!) * x + c[5]!) * x + c[4]!) * x + c[3]!) * x + c[2]!) * x + c[1]!) * x + c[0]!;

/** Natural logarithm of 0 < x < 1 from IEEE arithmetic alone, so that it is the same everywhere. */
function logarithm(x: number): number {
  let exponent = 0;
  let mantissa = x;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent++;
  }
  // ln m = 2 artanh s; |s| < 0.172, so that 12 terms suffice.
  const s = (mantissa - 1) / (mantissa + 1);
  let series = 0;
  for (let k = 23; k >= 1; k -= 2) series = series * s * s + 1 / k;
  return 2 * s * series - exponent * Math.LN2;
}
