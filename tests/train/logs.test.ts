import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c } from '../../src/train/logs/crc32c.js';
import type { LogRecord } from '../../src/train/logs/logger.js';
import { scalarRecord } from '../../src/train/logs/tensorboard.js';
import { tensorBoard } from '../../src/train/logs/tensorboard.node.js';
import { csvLog, jsonLines } from '../../src/train/logs/text-logs.node.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-logs-'));
});
afterEach(() => rm(folder, { recursive: true }));

const record = (update: number, kind: LogRecord['kind'] = 'step'): LogRecord => ({
  kind,
  update,
  epoch: update / 10,
  seconds: 2 * update,
  values: { loss: 1 / update },
});

describe('JSON lines', () => {
  it('are records, one a line, in a folder that need not be there', async () => {
    const path = join(folder, 'new', 'log.jsonl');
    const log = jsonLines(path);
    await log.open(0);
    await log.write(record(1));
    await log.write(record(2, 'evaluation'));
    await log.close();
    expect((await readFile(path, 'utf8')).split('\n')).toEqual([
      '{"kind":"step","update":1,"epoch":0.1,"seconds":2,"loss":1}',
      '{"kind":"evaluation","update":2,"epoch":0.2,"seconds":4,"loss":0.5}',
      '',
    ]);
  });

  it('lose what a run wrote after its last checkpoint, and a line that was cut off', async () => {
    const path = join(folder, 'log.jsonl');
    const lines = [1, 2, 3].map(update => JSON.stringify({ update }));
    await writeFile(path, `${lines.join('\n')}\n{"update":1,"lo`);
    const log = jsonLines(path);
    await log.open(2);
    await log.write(record(3));
    await log.flush();
    const text = await readFile(path, 'utf8');
    expect(text).toBe(
      `${lines[0]}\n${lines[1]}\n{"kind":"step","update":3,"epoch":0.3,"seconds":6,"loss":${1 / 3}}\n`,
    );
    await log.close();
  });
});

it('CSV has a row for each figure, and its header once', async () => {
  const path = join(folder, 'log.csv');
  for (const update of [0, 1]) {
    const log = csvLog(path);
    await log.open(update);
    await log.write({ ...record(update + 1), values: { loss: 0.5, 'a, "b"': 2 } });
    await log.close();
  }
  expect(await readFile(path, 'utf8')).toBe(
    [
      'kind,update,epoch,seconds,name,value',
      'step,1,0.1,2,loss,0.5',
      'step,1,0.1,2,"a, ""b""",2',
      'step,2,0.2,4,loss,0.5',
      'step,2,0.2,4,"a, ""b""",2',
      '',
    ].join('\n'),
  );
});

describe('TensorBoard', () => {
  it('checksums are CRC-32C', () => {
    // RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
    expect(crc32c(bytes)).toBe(0x46dd794e);
    expect(crc32c(bytes.subarray(10), crc32c(bytes.subarray(0, 10)))).toBe(0x46dd794e);
  });

  it('a record is what TensorFlow writes', () => {
    // By golden/event.py, which needs nothing of ours.
    expect(Buffer.from(scalarRecord(1.5, 3, { loss: 0.25 })).toString('hex')).toBe(
      '1a00000000000000129bd82d09000000000000f83f10032a0d0a0b0a046c6f7373150000803ed054b255',
    );
  });

  it('files hold a version, figures by kind, and marks where a run was resumed', async () => {
    for (const update of [0, 5]) {
      const log = tensorBoard(join(folder, 'deep', 'er'));
      await log.open(update);
      await log.write(record(update + 1));
      await log.write(record(update + 1, 'evaluation'));
      await log.close();
      // Names carry the second.
      if (update === 0) {
        const [name] = await readdir(join(folder, 'deep', 'er'));
        expect(name).toMatch(/^events\.out\.tfevents\.\d+\./);
        expect(eventsOf(await readFile(join(folder, 'deep', 'er', name!)))).toEqual([
          { step: 0, version: 'brain.Event:2' },
          { step: 1, tag: 'step/loss', value: 1 },
          { step: 1, tag: 'evaluation/loss', value: 1 },
        ]);
      }
    }
    const names = (await readdir(join(folder, 'deep', 'er'))).sort();
    const events = eventsOf(await readFile(join(folder, 'deep', 'er', names.at(-1)!)));
    expect(events.find(event => event.status !== undefined)).toEqual({ step: 6, status: 1 });
  });
});

interface Event {
  step: number;
  version?: string;
  tag?: string;
  value?: number;
  status?: number;
}

/** Reads event files field by field, by the numbers in event.proto. */
function eventsOf(bytes: Uint8Array): Event[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: Event[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const event: Event = { step: 0 };
    const fields = (reader: BinaryReader, end: number, visit: (field: number) => boolean) => {
      while (reader.pos < end) {
        const [field, type] = reader.tag();
        if (!visit(field)) reader.skip(type);
      }
      return true;
    };
    const reader = new BinaryReader(bytes.slice(at + 12, at + 12 + length));
    const nested = (visit: (field: number) => boolean) => {
      const size = reader.uint32();
      return fields(reader, reader.pos + size, visit);
    };
    fields(reader, length, field => {
      if (field === 2) event.step = Number(reader.int64());
      else if (field === 3) event.version = reader.string();
      else if (field === 7) {
        return nested(() => {
          event.status = reader.int32();
          return true;
        });
      } else if (field === 5) {
        return nested(() =>
          nested(inner => {
            if (inner === 1) event.tag = reader.string();
            else event.value = reader.float();
            return true;
          }),
        );
      } else return false;
      return true;
    });
    events.push(event);
    at += 16 + length;
  }
  return events;
}
