import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../../src/cli/arguments.js';
import { explainError } from '../../src/cli/errors.js';
import { WhittleError } from '../../src/graph/errors.js';
import { VERSION } from '../../src/version.js';
import { whittle } from './capture.js';

describe('usage', () => {
  it.each([['--help'], ['-h'], ['help']])('%s lists the verbs', async flag => {
    const { code, out, err } = await whittle([flag]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/inspect.*show what a model is made of/);
    expect(out).toMatch(/compress.*make a model smaller/);
  });

  it.each(['inspect', 'compress'])('%s --help has examples', async verb => {
    const { code, out } = await whittle([verb, '--help']);
    expect(code).toBe(0);
    expect(out).toContain('Examples:');
    expect(out).toContain(`$ whittle ${verb} model.onnx`);
  });

  it('help VERB is VERB --help', async () => {
    const help = await whittle(['help', 'inspect']);
    expect(help).toEqual(await whittle(['inspect', '--help']));
    expect(help).toMatchObject({ code: 0, err: '' });
  });

  it('--version prints the version alone', async () => {
    expect(await whittle(['--version'])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
  });

  it.each([
    [['compres', 'model.onnx'], /unknown command 'compres'[\s\S]*Did you mean compress/],
    [['help', 'compres'], /unknown command 'compres'[\s\S]*Did you mean compress/],
    [
      ['compress', 'm.onnx', '-o', 'o.onnx', '--metod', 'svd'],
      /unknown option '--metod'[\s\S]*Did you mean --method/,
    ],
    [
      ['compress', 'm.onnx', '-o', 'o.onnx', '--method', 'magic'],
      /Allowed choices are auto, svd, quantize, svd\+quantize/,
    ],
    [['compress', 'm.onnx', '-o', 'o.onnx', '--error', '1.5'], /must lie between 0 and 1/],
    [['compress', 'm.onnx', '-o', 'o.onnx', '--threads', '0'], /must be a positive integer/],
    [['compress', 'm.onnx', '-o', 'o.onnx', '--seed', '-1'], /must be an integer, 0 or more/],
    [['compress', 'm.onnx', '--dry-run', '--max-size', 'big'], /"big" is no size/],
    [['compress', 'm.onnx', '--dry-run', '--max-size', '25'], /Write 25% or 25MB/],
    [['compress', 'm.onnx', '--dry-run', '--min-quality', 'nice=1'], /is no bound on quality/],
    [['compress', 'm.onnx', '--dry-run', '--min-quality', 'cosine=2'], /cannot hold/],
    [['compress', 'm.onnx', '--dry-run', '--max-latency', '3x'], /no bound on latency/],
    [['sensitivity', 'm.onnx', '--ratio', '10%'], /--ratio.*needs --method/],
    [['scan', 'm.onnx', '--error', '0.1'], /--error is for --vary bits/],
    [['study', 'folder', '--report-only', '--fresh'], /cannot be used with option '--fresh'/],
    [['study', 'folder', '--jobs', '99999'], /This machine has \d+ core/],
    [['compress', 'm.onnx'], /say where the compressed model goes/],
    [['inspect'], /missing required argument 'model'/],
    [['inspect', 'a.onnx', 'b.onnx'], /too many arguments/],
    [[], /Usage: whittle/],
  ])('%j is a usage error', async (args, message) => {
    const { code, out, err } = await whittle(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/^\s+at /m);
  });
});

describe('errors', () => {
  const colours = pc.createColors(false);

  it('of the user are one line; a stack trace only with --verbose', () => {
    const error = new WhittleError('the weight is broken', { file: 'm.onnx', hint: 'Export it again' });
    expect(explainError(error, { verbose: false, colours })).toBe(
      'error: the weight is broken (file m.onnx). Export it again\n',
    );
    const cause = new WhittleError('outer', { cause: new RangeError('inner') });
    const verbose = explainError(cause, { verbose: true, colours });
    expect(verbose).toMatch(/WhittleError: outer\n\s+at /);
    expect(verbose).toContain('Caused by: RangeError: inner');
  });

  it('of ours say that they are', () => {
    expect(explainError(new TypeError('x is undefined'), { verbose: false, colours })).toMatch(
      /^error: x is undefined\nThis is a bug in Whittle\./,
    );
    expect(explainError('thrown text', { verbose: false, colours })).toMatch(/^error: thrown text/);
  });

  it('cannot command the terminal', () => {
    const error = new WhittleError('no such node', { node: '\u001b[2J\u001b]0;owned\u0007' });
    expect(explainError(error, { verbose: false, colours })).not.toMatch(/[\u001b\u0007]/);
  });
});

describe('the command to repeat', () => {
  it('quotes what a shell would read otherwise', () => {
    expect(commandLine(['compress', 'my model.onnx', '--exclude', 'head*', '-o', "it's.onnx"])).toBe(
      "whittle compress 'my model.onnx' --exclude 'head*' -o 'it'\\''s.onnx'",
    );
  });
});
