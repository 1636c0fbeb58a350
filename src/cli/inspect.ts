import { Command } from 'commander';
import { inspectPage } from '../report/pages/inspect.js';
import { inspectText } from '../report/terminal/inspect.js';
import { type CommonOptions, examples, withCommonOptions } from './arguments.js';
import { locateModel, MODEL_ARGUMENT, type ModelFlags, withModelOptions } from './model-source.js';
import { ProgressLine } from './progress.js';
import { checkTargets, loadBeside, writeText } from './targets.js';
import type { Terminal } from './terminal.js';

interface InspectFlags extends CommonOptions, ModelFlags {
  spectra?: boolean;
  groups?: boolean;
  html?: string;
  force?: boolean;
}

/** `whittle inspect MODEL`: what a model is made of. */
export function inspectVerb(terminal: Terminal): Command {
  const command = withModelOptions(
    new Command('inspect')
      .summary('show what a model is made of')
      .description(
        'Shows inputs and outputs, bytes by file and part, operators, and every weight that can be compressed.',
      )
      .argument('<model>', MODEL_ARGUMENT)
      .option('--spectra', 'compute the singular values of every weight, and what ranks they need')
      .option('--groups', 'show which dimensions can be made smaller, and what goes together')
      .option('--html <file>', 'write a page with plots')
      .option('--force', 'replace the page if it exists'),
  );
  return withCommonOptions(command)
    .addHelpText(
      'after',
      examples([
        ['Where the bytes of a model are:', 'whittle inspect model.onnx'],
        ['Of a model on the hub:', 'whittle inspect hf:owner/name'],
        [
          'Which weights have low rank, as a page with plots:',
          'whittle inspect model.onnx --spectra --html model.html',
        ],
        [
          'Which channels, heads and blocks can be pruned:',
          'whittle inspect model.onnx --groups --html groups.html',
        ],
        [
          'The names of all weights, for a program:',
          "whittle inspect model.onnx --json | jq '.weights[].name'",
        ],
      ]),
    )
    .action((model: string, flags: InspectFlags) => inspectModel(model, flags, terminal));
}

async function inspectModel(argument: string, flags: InspectFlags, terminal: Terminal): Promise<void> {
  const { path } = await locateModel(argument, flags, terminal);
  await checkTargets([flags.html], { inputs: [path], force: flags.force === true });
  // Loaded when needed, so that --help does not wait for it.
  const { inspect } = await import('../inspect/inspect.js');
  const progress = new ProgressLine(terminal);
  const report = await loadBeside(path, [flags.html])
    .then(model =>
      inspect(model, {
        spectra: flags.spectra === true,
        groups: flags.groups === true,
        signal: terminal.signal,
        onProgress: progress.update,
      }),
    )
    .finally(() => progress.end());
  if (flags.html !== undefined) await writeText(flags.html, inspectPage(report));
  if (flags.json) return terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  terminal.out(`${inspectText(report, terminal)}\n`);
  if (flags.html !== undefined) terminal.out(`\nPage: ${flags.html}\n`);
}
