export { blockedLayout, type LayoutOptions } from './blocked-layout.js';
export { probeBlockedLayout } from './probe.js';
