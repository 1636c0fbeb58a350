import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where finished work is kept between runs, by what the system says of caches. */
export const defaultCache = (env: NodeJS.ProcessEnv = process.env): string =>
  join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'whittle');
