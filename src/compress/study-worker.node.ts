/** A thread that scores layers for `StudyPool`, on kernels of its own. */
import { parentPort } from 'node:worker_threads';
import { findSites } from '../calibrate/sites.js';
import { initLinalg } from '../linalg/index.js';
import { serializeError } from '../linalg/worker-protocol.js';
import { decodeModel } from '../onnx/index.js';
import { Figures } from './cache.js';
import { Layer } from './layer.js';
import type { Method } from './method.js';
import { methodsOf, type Settings } from './options.js';
import { ByteScale } from './score.js';
import { scoreLayer } from './score-layer.js';
import type { FromStudyWorker, ToStudyWorker } from './study-protocol.js';

let settings: Settings;
let methods: readonly Method[];

const post = (message: FromStudyWorker): void => parentPort!.postMessage(message);

async function answer(message: ToStudyWorker): Promise<void> {
  if ('settings' in message) {
    ({ settings } = message);
    methods = methodsOf(settings, message.onlyMethods);
    return;
  }
  try {
    const model = decodeModel(message.fragment);
    const site = findSites(model).find(({ value }) => value.name === message.weight)!;
    const figures = new Figures();
    const layer = new Layer(site, message.observation);
    await scoreLayer(layer, new ByteScale(site, model), { methods, settings, figures });
    post({ figures: figures.all });
  } catch (error) {
    post({ error: serializeError(error) });
  }
}

await initLinalg();
parentPort!.on('message', message => void answer(message));
post({ ready: true });
