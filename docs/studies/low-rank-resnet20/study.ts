/**
 * The arms of docs/studies/low-rank on a ResNet-20, trained half as long again.
 *
 *     whittle study docs/studies/low-rank-resnet20
 */
import { defineStudy } from 'whittle-nn/study';
import lowRank from '../low-rank/study.js';

const { depth, epochs } = lowRank.settings;

export default defineStudy({
  ...lowRank,
  title: 'Low-rank training of a ResNet-20',
  settings: {
    ...lowRank.settings,
    depth: { ...depth, fallback: 20 },
    epochs: { ...epochs, fallback: 12 },
  },
});
