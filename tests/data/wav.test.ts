import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { audioInputs, openInputs, readWav, type Signature } from '../../src/data/index.node.js';

interface Header {
  channels?: number;
  rate?: number;
  bits?: number;
  format?: number;
  /** Chunks between the format and the samples. */
  between?: Uint8Array;
}

function wav(samples: readonly number[], options: Header = {}): Uint8Array {
  const { channels = 1, rate = 16000, bits = 16, format = 1, between = new Uint8Array() } = options;
  const bytes = new Uint8Array(44 + between.length + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const tag = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  tag(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  tag(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, format, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint16(34, bits, true);
  bytes.set(between, 36);
  tag(36 + between.length, 'data');
  view.setUint32(40 + between.length, 2 * samples.length, true);
  samples.forEach((value, i) => view.setInt16(44 + between.length + 2 * i, value, true));
  return bytes;
}

const waveform: Signature = [{ name: 'input_values', dtype: 'float32', shape: ['batch', 'samples'] }];

describe('readWav', () => {
  it('reads 16-bit samples of one channel as they are', () => {
    const integers = fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(integers, fc.integer({ min: 1, max: 192_000 }), (samples, rate) => {
        const read = readWav(wav(samples, { rate }));
        expect(read.rate).toBe(rate);
        expect([...read.samples]).toEqual(samples.map(value => value / 32768));
      }),
    );
  });

  it('averages channels and skips other chunks', () => {
    const between = Uint8Array.from([...new TextEncoder().encode('LIST'), 3, 0, 0, 0, 1, 2, 3, 0]);
    const { samples } = readWav(wav([100, 300, -200, 0], { channels: 2, between }));
    expect([...samples]).toEqual([200 / 32768, -100 / 32768]);
  });

  it('takes what is there of a recording that was cut off', () => {
    expect(readWav(wav([1, 2, 3]).subarray(0, 48)).samples).toHaveLength(2);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['another file', new TextEncoder().encode('nonsense, but long enough'), /no WAV file.*ffmpeg/],
    ['an empty file', new Uint8Array(), /no WAV file/],
    ['24-bit samples', wav([1], { bits: 24 }), /24-bit samples in format 1/],
    ['floats', wav([1], { format: 3, bits: 32 }), /32-bit samples in format 3/],
    ['no channels', wav([1], { channels: 0 }), /without channels/],
    ['a header alone', wav([]).subarray(0, 36), /without samples/],
  ])('refuses %s', (_name, bytes, message) => expect(() => readWav(bytes, 'x.wav')).toThrow(message));

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), noise => {
        const bytes = wav([1, 2]);
        bytes.set(noise.subarray(0, bytes.length - 12), 12);
        try {
          expect(readWav(bytes).samples.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect((error as Error).name).toBe('WhittleError');
        }
      }),
    );
  });
});

describe('audioInputs', () => {
  async function inFolder(files: Record<string, Uint8Array>, body: (folder: string) => Promise<void>) {
    const folder = await mkdtemp(join(tmpdir(), 'whittle-wav-'));
    try {
      for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
      await body(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it('feeds a folder of sounds to a model of waveforms', () =>
    inFolder({ 'a.wav': wav([16384, -16384]), 'b.wav': wav([0, 0, 8192]) }, async folder => {
      const source = await openInputs(folder, waveform, { audio: { samplingRate: 16000 } });
      expect(source.length).toBe(2);
      const [a, b] = [await source.sample!(0), await source.sample!(1)];
      expect([a.input_values!.dims, a.input_values!.toNumbers()]).toEqual([
        [1, 2],
        [0.5, -0.5],
      ]);
      expect(b.input_values!.toNumbers()).toEqual([0, 0, 0.25]);
    }));

  it('fills up what the model fixes, and normalizes where it wants that', () =>
    inFolder({ 'a.wav': wav([16384, -16384]) }, async folder => {
      const fixed: Signature = [{ name: 'x', dtype: 'float32', shape: [1, 1, 4] }];
      const source = audioInputs([join(folder, 'a.wav')], fixed, { normalize: true });
      const { x } = await source.sample!(0);
      expect(x!.dims).toEqual([1, 1, 4]);
      expect(x!.toNumbers().map(value => Math.round(1000 * value) / 1000)).toEqual([1, -1, 0, 0]);
    }));

  it('refuses another rate, and models of spectrograms', () =>
    inFolder({ 'a.wav': wav([1], { rate: 44100 }) }, async folder => {
      const path = join(folder, 'a.wav');
      const source = audioInputs([path], waveform, { samplingRate: 16000 });
      await expect(source.sample!(0)).rejects.toThrow(
        /44100 samples a second, the model wants 16000.*-ar 16000/,
      );
      const whisper: Signature = [{ name: 'input_features', dtype: 'float32', shape: ['batch', 80, 3000] }];
      expect(() => audioInputs([path], whisper)).toThrow(
        /waveform.*input_features float32 \[batch, 80, 3000\]/,
      );
    }));
});
