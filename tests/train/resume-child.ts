/**
 * A training that its parent kills: `resume-child.ts FOLDER UPDATE`. It goes on from the last checkpoint in the folder,
 * and at the update it says so and stands still.
 */
import { join } from 'node:path';
import { CheckpointFolder, jsonLines, type TrainingMethod, train } from '../../src/train/index.node.js';
import { tinyTraining } from './tiny.js';

const [folder, stop] = process.argv.slice(2) as [string, string];

const standStill: TrainingMethod = {
  name: 'stand still',
  async afterStep({ update }) {
    if (update !== Number(stop)) return;
    process.send!(update);
    await new Promise(() => setInterval(() => {}, 1000));
  },
};

const options = tinyTraining();
await train({
  ...options,
  methods: [...options.methods!, standStill],
  checkpoints: { store: new CheckpointFolder(join(folder, 'checkpoints')), every: 5, resume: true },
  logs: [jsonLines(join(folder, 'log.jsonl'))],
});
process.send!('done');
