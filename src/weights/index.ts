export { encodeSafetensors, readSafetensors, type Safetensors } from './safetensors.js';
