/** Where reading a number went on to: bytes are scanned once, so the position comes back beside the value. */
export interface Cursor {
  at: number;
}

const POWERS = Array.from({ length: 23 }, (_, k) => 10 ** k);
const [SPACE, PLUS, MINUS, DOT, ZERO, UPPER_E, LOWER_E] = [32, 43, 45, 46, 48, 69, 101];

/**
 * The decimal number at `cursor`, which moves behind it; NaN where there is none. Up to 15 digits and powers
 * of ten to 22 are exact in float64, so one division rounds correctly (Clinger 1990); all else is left to the
 * language's own reading.
 */
export function readDecimal(bytes: Uint8Array, cursor: Cursor, end: number): number {
  const start = cursor.at;
  let at = start;
  const isNegative = bytes[at] === MINUS;
  if (isNegative || bytes[at] === PLUS) at++;
  let mantissa = 0;
  let digits = 0;
  let fraction = 0;
  let isFraction = false;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      if (mantissa !== 0) digits++;
      if (isFraction) fraction++;
    } else if (bytes[at] === DOT && !isFraction) isFraction = true;
    else break;
  }
  const last = at;
  let isPlain = digits <= 15 && last > start && isDigit(bytes[last - 1]!);
  if (at < end && (bytes[at] === LOWER_E || bytes[at] === UPPER_E)) {
    at++;
    const isSmall = bytes[at] === MINUS;
    if (isSmall || bytes[at] === PLUS) at++;
    let exponent = 0;
    const first = at;
    for (; at < end && isDigit(bytes[at]!) && at - first < 6; at++)
      exponent = exponent * 10 + bytes[at]! - ZERO;
    if (at === first) isPlain = false;
    fraction += isSmall ? exponent : -exponent;
  }
  if (at < end && !isBlank(bytes[at]!)) isPlain = false;
  if (isPlain && fraction >= -22 && fraction <= 22) {
    cursor.at = at;
    const size = fraction >= 0 ? mantissa / POWERS[fraction]! : mantissa * POWERS[-fraction]!;
    return isNegative ? -size : size;
  }
  while (at < end && !isBlank(bytes[at]!)) at++;
  cursor.at = at;
  const text = at - start > 64 ? "" : String.fromCharCode(...bytes.subarray(start, at));
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

/** The shortest decimal that float32 reads back as the same number. */
export function writeDecimal(value: number): string {
  if (Object.is(value, -0)) return "-0";
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
}

const isDigit = (byte: number) => byte >= 48 && byte <= 57;
/** Space, tab or carriage return. */
export const isBlank = (byte: number) => byte === SPACE || byte === 9 || byte === 13;
