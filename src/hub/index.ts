export { DTYPE_SUFFIXES, HUB_DTYPES, type HubDtype } from './dtypes.js';
export { type Preprocessing, readPreprocessing } from './preprocessor.js';
export { formatHubReference, type HubReference, isHubReference, parseHubReference } from './reference.js';
export { type Selection, selectFiles } from './select.js';
export { type WrittenModel, withModelFile } from './transformers-config.js';
