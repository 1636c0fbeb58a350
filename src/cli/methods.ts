import { Command } from 'commander';
import type { MethodEntry } from '../methods/entry.js';
import { textPairs, textTable, wrap } from '../report/terminal/text.js';
import { type CommonOptions, examples, withCommonOptions } from './arguments.js';
import { settingsJson } from './settings.js';
import type { Terminal } from './terminal.js';

/** `whittle methods [NAME]`: ways to get a small network by training. */
export function methodsVerb(terminal: Terminal): Command {
  return withCommonOptions(
    new Command('methods')
      .summary('list the ways to train a small network')
      .description('Lists the methods that whittle train --method takes, with their papers and settings.')
      .argument('[name]', 'tell of this method only'),
  )
    .addHelpText(
      'after',
      examples([
        ['What there is:', 'whittle methods'],
        ['The settings of one:', 'whittle methods rigl'],
      ]),
    )
    .action((name: string | undefined, flags: CommonOptions) => listMethods(name, flags, terminal));
}

async function listMethods(
  name: string | undefined,
  { json }: CommonOptions,
  terminal: Terminal,
): Promise<void> {
  const { METHODS, PAGES, findMethod } = await import('../methods/index.js');
  const chosen = name === undefined ? METHODS : [findMethod(name)];
  if (json) {
    const described = chosen.map(describe);
    return terminal.out(`${JSON.stringify(name === undefined ? described : described[0], null, 2)}\n`);
  }
  terminal.out(
    name === undefined
      ? overview(METHODS, terminal)
      : details(chosen[0]!, PAGES[chosen[0]!.family], terminal),
  );
}

const describe = ({ settings, create: _, ...entry }: MethodEntry) => ({
  ...entry,
  settings: settingsJson(settings),
});

function overview(methods: readonly MethodEntry[], terminal: Terminal): string {
  const columns = [
    { heading: 'method' },
    { heading: 'family' },
    { heading: 'paper', optional: 1 },
    { heading: 'what it does', wraps: true },
  ];
  const rows = methods.map(({ name, family, summary, paper }) => [
    name,
    family,
    `${paper.authors.split(',')[0]} ${paper.year}`,
    summary,
  ]);
  return `${textTable(columns, rows, terminal)}\n\nwhittle methods NAME tells of one; whittle train CONFIG --method NAME:SETTING=VALUE,… trains by it.\n`;
}

function details(
  { name, family, summary, paper, settings }: MethodEntry,
  page: string,
  terminal: Terminal,
): string {
  const { colours, width } = terminal;
  const lines = Object.entries(settings).map(([setting, { fallback, expects, description }]) => [
    `${setting}=${String(fallback)}`,
    description === undefined ? expects : `${description} (${expects})`,
  ]);
  return [
    wrap(`${colours.bold(name)} (${family}): ${summary}`, width),
    '',
    textPairs(
      [
        ['paper', `${paper.authors}: ${paper.title}, ${paper.year}, ${paper.url}`],
        ['page', page],
      ],
      colours,
    ),
    '',
    'Settings, as in '.concat(`--method ${name}:${Object.keys(settings)[0] ?? ''}=…`),
    textPairs(
      lines.map(([setting, meaning]) => [setting!, meaning!] as const),
      colours,
    ),
    '',
  ].join('\n');
}
