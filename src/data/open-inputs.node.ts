import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { arrayInputs } from './arrays.node.js';
import { AUDIO_EXTENSIONS, type AudioOptions, audioInputs } from './audio.node.js';
import { type GeneratedOptions, generatedInputs } from './generated.js';
import type { ImageOptions } from './image-spec.js';
import { IMAGE_EXTENSIONS, imageInputs } from './images.node.js';
import { MODULE_EXTENSIONS, moduleInputs } from './modules.node.js';
import type { InputSource, Signature } from './sample.js';
import { type TextOptions, textInputs } from './text.js';
import { huggingFaceTokenizer, type Tokenizer } from './tokenizer.js';

export interface OpenInputsOptions extends TextOptions {
  /** How images are resized and normalised, over what the model's signature suggests. */
  readonly image?: ImageOptions;
  /** What the model wants of sounds. */
  readonly audio?: AudioOptions;
  /** For text: a tokenizer, or the path of a `tokenizer.json` or of its folder. */
  readonly tokenizer?: Tokenizer | string;
  /** For inputs that are made up, where no path is given. */
  readonly generated?: GeneratedOptions;
}

type Kind = 'arrays' | 'images' | 'audio' | 'text' | 'module';

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['.npy', 'arrays'],
  ['.npz', 'arrays'],
  ...IMAGE_EXTENSIONS.map(extension => [extension, 'images'] as const),
  ...AUDIO_EXTENSIONS.map(extension => [extension, 'audio'] as const),
  ['.txt', 'text'],
  ...MODULE_EXTENSIONS.map(extension => [extension, 'module'] as const),
]);

const kindOf = (file: string): Kind | undefined => KINDS.get(extname(file).toLowerCase());

/**
 * Opens inputs for a model from a path, by what is there: a folder of `.npy`/`.npz` files, of images or of 16-bit
 * `.wav` files (subfolders included), a `.txt` file with one text a line, or a `.ts`/`.js` file of the user's own. Without a path, inputs are
 * generated from the signature.
 * @throws WhittleError where nothing usable is there, kinds are mixed, or the inputs do not fit the model
 */
export async function openInputs(
  path: string | undefined,
  signature: Signature,
  options: OpenInputsOptions = {},
): Promise<InputSource> {
  if (path === undefined) return generatedInputs(signature, options.generated);
  const { kind, files } = await findFiles(path);
  switch (kind) {
    case 'arrays':
      return arrayInputs(files, signature);
    case 'images':
      return imageInputs(files, signature, options.image);
    case 'audio':
      return audioInputs(files, signature, options.audio);
    case 'module':
      return moduleInputs(files[0]!, signature);
    case 'text': {
      if (options.tokenizer === undefined) {
        throw new WhittleError('text needs a tokenizer', {
          file: path,
          hint: "Give the model's tokenizer.json with --tokenizer",
        });
      }
      const tokenizer =
        typeof options.tokenizer === 'string' ? await readTokenizer(options.tokenizer) : options.tokenizer;
      return textInputs(await readLines(files), signature, tokenizer, options);
    }
  }
}

async function findFiles(path: string): Promise<{ kind: Kind; files: string[] }> {
  const status = await stat(path).catch((cause: unknown) => {
    throw new WhittleError('the inputs are not there', { file: path, hint: 'Check the path', cause });
  });
  const files = status.isDirectory() ? await listFiles(path) : [path];
  // Scripts and notes that lie in a folder of samples are not samples.
  const found = files.map(file => ({ file, kind: kindOf(file) }));
  const inFolder = (kind: Kind | undefined) => kind === 'arrays' || kind === 'images' || kind === 'audio';
  const kinds = new Set(
    found.map(({ kind }) => kind).filter(kind => !status.isDirectory() || inFolder(kind)),
  );
  if (kinds.size === 0 && found.some(({ kind }) => kind === 'text')) kinds.add('text');
  const [kind, another] = kinds;
  if (another) {
    throw new WhittleError(`the folder holds both ${[kind, another].sort().join(' and ')}`, {
      file: path,
      hint: 'Put each kind into a folder of its own',
    });
  }
  if (kind === undefined) {
    const seen = [...new Set(files.map(file => extname(file) || basename(file)))].slice(0, 5).join(', ');
    throw new WhittleError(`no usable inputs${seen ? ` (found ${seen})` : ': the folder is empty'}`, {
      file: path,
      hint: `Known are ${[...KINDS.keys()].join(', ')}`,
    });
  }
  return { kind, files: found.filter(entry => entry.kind === kind).map(entry => entry.file) };
}

/** All files of a folder and its subfolders in an order that is the same on every system; hidden ones left out. */
async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => !entry.isDirectory() && !entry.name.startsWith('.'))
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .sort((a, b) => (a < b ? -1 : 1));
}

async function readLines(files: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(files.map(file => readFile(file, 'utf8')));
  const lines = texts
    .flatMap(text => text.split(/\r?\n/))
    .map(line => line.trim())
    .filter(line => line !== '');
  if (lines.length === 0) throw new WhittleError('the file holds no text', { file: files[0]! });
  return lines;
}

/**
 * Reads a Hugging Face tokenizer: a `tokenizer.json` with the `tokenizer_config.json` beside it, if there is one.
 * @param path the file or its folder
 * @throws WhittleError naming the file where it is not one
 */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  const file = path.endsWith('.json') ? path : join(path, 'tokenizer.json');
  const parse = async (name: string): Promise<unknown> => {
    try {
      return JSON.parse(await readFile(name, 'utf8'));
    } catch (cause) {
      throw new WhittleError(`cannot read the tokenizer: ${(cause as Error).message}`, { file: name, cause });
    }
  };
  const config = join(dirname(file), 'tokenizer_config.json');
  const hasConfig = await stat(config).then(
    () => true,
    () => false,
  );
  return huggingFaceTokenizer(await parse(file), hasConfig ? await parse(config) : {}, file);
}
