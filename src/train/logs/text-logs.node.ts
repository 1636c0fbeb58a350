import { LineFile } from './line-file.node.js';
import type { Logger, LogRecord } from './logger.js';

/** A log of JSON objects, one a line: `{"kind":"step","update":1,"epoch":0.01,"seconds":0.2,"loss":2.3}`. */
export function jsonLines(path: string): Logger {
  const file = new LineFile(path);
  return {
    open: update => file.open(line => updateOf(line) <= update),
    write: ({ values, ...head }: LogRecord) => file.append(JSON.stringify({ ...head, ...values })),
    flush: () => file.flush(),
    close: () => file.close(),
  };
}

/** NaN for a line that is no record: it is not kept. */
function updateOf(line: string): number {
  try {
    return Number((JSON.parse(line) as Partial<LogRecord> | null)?.update);
  } catch {
    return Number.NaN;
  }
}

const COLUMNS = 'kind,update,epoch,seconds,name,value';

/** A log as a table with one figure in each row, which needs no agreement on columns between steps and evaluations. */
export function csvLog(path: string): Logger {
  const file = new LineFile(path);
  return {
    open: update => file.open(line => Number(line.split(',')[1]) <= update, COLUMNS),
    async write({ kind, update, epoch, seconds, values }: LogRecord) {
      for (const [name, value] of Object.entries(values)) {
        await file.append([kind, update, epoch, seconds, quoted(name), value].join(','));
      }
    },
    flush: () => file.flush(),
    close: () => file.close(),
  };
}

const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
