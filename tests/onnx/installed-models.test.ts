import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeModel, encodeToBytes } from '../../src/onnx/index.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { saveModel } from '../../src/onnx/save.node.js';
import { feedsFor, MODELS, outputsOf } from './installed-models.js';

const folder = mkdtempSync(join(tmpdir(), 'whittle-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('models of installed packages', () => {
  it('are found', () => {
    expect(MODELS.map(m => basename(m))).toEqual(
      expect.arrayContaining(['ch_PP-OCRv4_rec_infer.onnx', 'silero_vad_v5.onnx']),
    );
  });

  describe.each(MODELS)('%s', path => {
    const feeds = feedsFor(path);

    it('gives the same outputs bit for bit after a round trip', async () => {
      const before = await outputsOf(path, feeds);
      expect(Object.keys(before).length).toBeGreaterThan(0);
      const model = await loadModel(path);
      const bytes = encodeToBytes(model);
      expect(await outputsOf(bytes, feeds)).toEqual(before);
      if (feeds.sr) {
        // The other branch of the model's If.
        const slow = feedsFor(path, 8000n);
        expect(await outputsOf(bytes, slow)).toEqual(await outputsOf(path, slow));
      }
      // What was decoded from our own bytes encodes to the same bytes.
      expect(Buffer.compare(encodeToBytes(decodeModel(bytes)), bytes)).toBe(0);
      expect(Math.abs(bytes.byteLength - readFileSync(path).byteLength)).toBeLessThan(2048);
    });

    it('gives the same outputs bit for bit from external data', async () => {
      const before = await outputsOf(path, feeds);
      const out = join(folder, basename(path));
      const saved = await saveModel(await loadModel(path), out, { externalData: { threshold: 256 } });
      expect(saved.files.map(f => basename(f.path))).toEqual([basename(out), `${basename(out)}.data`]);
      expect(saved.files[0]!.bytes).toBeLessThan(saved.files[1]!.bytes);
      expect(await outputsOf(out, feeds)).toEqual(before);
      // And back into one file.
      const single = encodeToBytes(await loadModel(out));
      expect(await outputsOf(single, feeds)).toEqual(before);
      expect(readdirSync(folder).filter(name => name.endsWith('.tmp'))).toEqual([]);
    });
  });
});
