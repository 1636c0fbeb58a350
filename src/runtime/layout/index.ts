export { blockedLayout, type LayoutOptions } from './blocked-layout.js';
export { type LayoutPass, layoutPass } from './pass.js';
export { probeBlockedLayout } from './probe.js';
export { splitProjections } from './split-projections.js';
