export * from './index.js';
export { type LoadedStudy, loadStudy } from './load.node.js';
export { reportStudy } from './report.node.js';
export { runStudy, type StudyOptions, type StudyProgress } from './run.node.js';
