import { dirname } from 'node:path';
import { WhittleError } from '../graph/errors.js';

/** Says in words what the operating system said in codes; other errors come back as they are. */
export function describeFileError(error: unknown, path: string, intent: 'read' | 'write'): unknown {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (error instanceof WhittleError || typeof code !== 'string') return error;
  const writing = intent === 'write';
  const explain = (): [problem: string, hint: string] => {
    switch (code) {
      case 'ENOENT':
      case 'ENOTDIR':
        return writing
          ? [`there is no folder ${dirname(path)}`, 'Make it first']
          : ['there is no such file', 'Check the path'];
      case 'EACCES':
      case 'EPERM':
        return writing
          ? ['writing is not permitted here', 'Choose another folder or change its permissions']
          : ['reading it is not permitted', 'Change its permissions'];
      case 'EROFS':
        return ['this file system is read-only', 'Choose another folder'];
      case 'ENOSPC':
      case 'EDQUOT':
        return ['the disk is full', 'Make room or choose another folder'];
      case 'EFBIG':
        return ['the file would be larger than the file system allows', 'Choose another folder'];
      case 'EISDIR':
        return ['this is a folder, not a file', 'Name a file'];
      case 'ENAMETOOLONG':
        return ['the name is too long', 'Choose a shorter one'];
      case 'EMFILE':
      case 'ENFILE':
        return ['too many files are open', 'Raise the limit with `ulimit -n`'];
      default:
        return [`${writing ? 'writing' : 'reading'} failed with ${code}`, 'Check the disk'];
    }
  };
  const [problem, hint] = explain();
  return new WhittleError(problem, { file: path, hint, cause: error });
}
