/**
 * Text of protobuf `string` fields. They should be UTF-8, but nothing enforces it in ONNX's proto2, and names
 * in the wild are not always. A byte that is not UTF-8 becomes the lone surrogate U+DC00 + byte and turns back
 * into that byte when written (the "surrogateescape" of Python's PEP 383), so no name is ever lost or merged.
 */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const ESCAPED = /[\uDC80-\uDCFF]/u;

export function decodeText(bytes: Uint8Array): string {
  const short = bytes.byteLength <= 48 ? decodeAscii(bytes) : undefined;
  if (short !== undefined) return short;
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

/** The bytes of a text that `decodeText` gave, broken ones included. */
export function encodeText(text: string): Uint8Array {
  if (!hasBrokenBytes(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    if (ESCAPED.test(character)) bytes.push(character.charCodeAt(0) - 0xdc00);
    else bytes.push(...encoder.encode(character));
  }
  return Uint8Array.from(bytes);
}

/** Whether a text stands for bytes that are not UTF-8. */
export const hasBrokenBytes = (text: string): boolean => ESCAPED.test(text);

/** TextDecoder costs more than the whole rest for names as short as most are. */
function decodeAscii(bytes: Uint8Array): string | undefined {
  let text = '';
  for (const byte of bytes) {
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

function decodeEscaping(bytes: Uint8Array): string {
  const characters: string[] = [];
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) characters.push(String.fromCharCode(0xdc00 + bytes[i++]!));
    else if (length === 1) characters.push(String.fromCharCode(bytes[i++]!));
    else {
      characters.push(strict.decode(bytes.subarray(i, i + length)));
      i += length;
    }
  }
  return characters.join('');
}

/** Length of the UTF-8 sequence at `at`, 0 where there is none (table 3-7 of the Unicode standard). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (bytes[at + 1]! < low || bytes[at + 1]! > high) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}
