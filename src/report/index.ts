export { comparePage } from './pages/compare.js';
export { type CompressPageOptions, compressPage } from './pages/compress.js';
export { inspectPage } from './pages/inspect.js';
export { type Bar, type BarChartOptions, barChart } from './plot/bars.js';
export { type LinePlotOptions, linePlot, type Series } from './plot/line.js';
export { paretoFront, type ScatterOptions, type ScatterPoint, scatterPlot } from './plot/scatter.js';
export { type SpectrumOptions, spectrumPlot } from './plot/spectrum.js';
