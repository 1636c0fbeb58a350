import type { Settings } from '../train/config/settings.js';

/** Settings of a file or a method, for programs. */
export const settingsJson = (settings: Settings): Record<string, object> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, { fallback, expects, description }]) => [
      name,
      { default: fallback, expects, ...(description !== undefined && { description }) },
    ]),
  );

/** What `--settings` prints: one a line with its default, what it expects and what it is for. */
export function settingsText(settings: Settings, { json }: { json?: boolean }): string {
  if (json) return `${JSON.stringify(settingsJson(settings), null, 2)}\n`;
  return Object.entries(settings)
    .map(
      ([name, { fallback, expects, description }]) =>
        `${name}=${String(fallback)}  ${expects}${description === undefined ? '' : `: ${description}`}\n`,
    )
    .join('');
}
