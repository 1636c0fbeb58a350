/**
 * GPT-2 writes each byte as a printable character: those that are printable in Latin-1 as themselves, the other 68 as
 * the characters from U+0100 on. Its tokens 0 … 255 are these characters: printable ones first.
 */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const others = bytes.filter(byte => !printable(byte));
  return [...bytes.filter(printable), ...others.map((_, i) => 256 + i)].map(code =>
    String.fromCharCode(code),
  );
})();

/** The character of each byte. */
const OF_BYTE: readonly string[] = (() => {
  const table: string[] = [];
  let other = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const self = String.fromCharCode(byte);
    table.push(BYTE_CHARACTERS.includes(self) ? self : String.fromCharCode(other++));
  }
  return table;
})();

const TO_BYTE: ReadonlyMap<string, number> = new Map(OF_BYTE.map((character, byte) => [character, byte]));

/** The UTF-8 bytes of a text, as characters. */
export const charactersOfText = (text: string): string[] =>
  Array.from(new TextEncoder().encode(text), byte => OF_BYTE[byte]!);

/** The bytes that characters of `charactersOfText` stand for. */
export const bytesOfCharacters = (characters: string): Uint8Array =>
  Uint8Array.from(characters, character => TO_BYTE.get(character)!);
