import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { Forecast } from '../../src/cli/forecast.js';
import { ProgressLine, progressText } from '../../src/cli/progress.js';
import type { Terminal } from '../../src/cli/terminal.js';

describe('forecast', () => {
  it('goes on as it went so far, phase by phase', () => {
    const forecast = new Forecast();
    expect(forecast.left('choose', 0, 10, 0)).toBeUndefined();
    expect(forecast.left('choose', 1, 10, 500)).toBeUndefined();
    expect(forecast.left('choose', 2, 10, 4000)).toBe(16_000);
    expect(forecast.left('choose', 10, 10, 9000)).toBe(0);
    expect(forecast.left('verify', 0, 4, 20_000)).toBeUndefined();
    expect(forecast.left('verify', 1, 4, 22_000)).toBe(6000);
  });
});

describe('progress', () => {
  it('reads as a sentence', () => {
    expect(progressText({ phase: 'choose', done: 2, total: 10, detail: 'conv.weight' }, 16_200)).toBe(
      'choose 2/10, about 20 s left, conv.weight',
    );
    expect(progressText({ phase: 'verify', done: 0, total: 4 }, undefined)).toBe('verify 0/4');
  });

  it('counts up where the end is not known, and does not announce the end', () => {
    expect(progressText({ phase: 'evaluate', done: 7, total: 1 }, undefined)).toBe('evaluate 7');
    expect(progressText({ phase: 'choose', done: 9, total: 9 }, 0)).toBe('choose 9/9');
  });

  it('lets no layer name command the terminal', () => {
    expect(
      progressText({ phase: 'choose', done: 0, total: 1, detail: '\u001b[2J' }, undefined),
    ).not.toContain('\u001b');
  });
});

it('leaves the terminal its cursor and its line breaks where a second Ctrl-C ends the process', () => {
  let written = '';
  const stream = {
    isTTY: true,
    columns: 80,
    rows: 24,
    on: () => {},
    write: (text: string) => (written += text),
  };
  const terminal = { progress: stream, errorColours: pc.createColors(false) } as unknown as Terminal;
  const before = process.listeners('exit');
  new ProgressLine(terminal).update({ phase: 'choose', done: 1, total: 3 });
  expect(written).toContain('\x1b[?25l');
  const [leave] = process.listeners('exit').filter(listener => !before.includes(listener));
  leave!(130);
  expect(written.lastIndexOf('\x1b[?25h')).toBeGreaterThan(written.lastIndexOf('\x1b[?25l'));
  expect(written.lastIndexOf('\x1b[?7h')).toBeGreaterThan(written.lastIndexOf('\x1b[?7l'));
  expect(process.listeners('exit')).toEqual(before);
});
