import { Random } from '../../src/random/random.js';
import { defineStudy, type Study } from '../../src/study/define.js';
import type { RunRecord } from '../../src/study/record.js';
import { type StudyReport, type SummaryOptions, summarize } from '../../src/study/summary.js';

const train = () => {
  throw new Error('nothing is trained here');
};

/** A study as large as real ones, whose runs are made up. */
export const exampleStudy: Study = defineStudy({
  title: 'Low-rank training, made up',
  question: 'Does a network trained in factorized form beat a narrower dense one of equal size?',
  notes: ['Every number here is made up.'],
  settings: {},
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'dense',
  plot: { x: { figure: 'parameters' }, log: true },
  arms: {
    dense: { label: 'Dense', series: 'dense, narrower', train },
    ...Object.fromEntries(
      [25, 10].flatMap(share =>
        ['narrow', 'plain', 'SI', 'FD', 'SI+FD'].map(name => [
          `${name}-${share}`,
          {
            label: `${name === 'narrow' ? 'Dense, narrower' : `Low-rank, ${name}`}, ${share}%`,
            series: name === 'narrow' ? 'dense, narrower' : `low-rank, ${name}`,
            group: `About ${share}% of the parameters`,
            ...(name !== 'narrow' && { against: `narrow-${share}` }),
            train,
          },
        ]),
      ),
    ),
  },
});

const LEVELS: Readonly<Record<string, number>> = {
  dense: 0,
  narrow: 1,
  plain: 1.1,
  SI: 0.7,
  FD: 0.8,
  'SI+FD': 0.3,
};

export function exampleRecord(arm: string, seed: number): RunRecord {
  const [name, share = '100'] = arm.split('-') as [string, string?];
  const random = new Random(seed, arm);
  const accuracy = 0.93 - 0.02 * LEVELS[name]! * Math.log10(1000 / Number(share)) + 0.003 * random.normal();
  const updates = Array.from({ length: 30 }, (_, i) => 40 * (i + 1));
  const curve = (end: number) => updates.map(u => [u, end + (1 - end) * Math.exp(-u / 300)] as const);
  return {
    format: 1,
    key: `${arm}-${seed}`,
    arm,
    seed,
    settings: {},
    definition: 'same',
    date: '2026-01-02T03:04:05.000Z',
    made: {
      whittle: '0.1.0',
      node: '20',
      onnxruntime: '1.30.0',
      platform: 'linux x64',
      cpu: 'a CPU',
      threads: 1,
      jobs: 2,
    },
    state: 'done',
    figures: {
      accuracy,
      loss: 3 * (1 - accuracy),
      parameters: Math.round(67_900 * (Number(share) / 100)),
      bytes: Math.round(286_000 * (Number(share) / 100)),
      flops: Math.round(15.6e6 * (Number(share) / 100)),
      cpu_seconds: 90 + 10 * random.uniform(),
    },
    curves: {
      loss: curve(0.2),
      'test accuracy': updates.map(u => [u, accuracy * (1 - Math.exp(-u / 250))] as const),
      'stable rank': curve(0.5 + LEVELS[name]! / 4),
    },
  };
}

const SEEDS = [0, 1, 2];

export const exampleRecords = (study: Study = exampleStudy, seeds: readonly number[] = SEEDS): RunRecord[] =>
  Object.keys(study.arms).flatMap(arm => seeds.map(seed => exampleRecord(arm, seed)));

export const exampleReport = (
  records: readonly RunRecord[] = exampleRecords(),
  { study = exampleStudy, ...options }: Partial<SummaryOptions> & { study?: Study } = {},
): StudyReport =>
  summarize(study, new Map(records.map(record => [record.key, record])), {
    name: 'example',
    command: 'whittle study example',
    settings: { width: 0.5 },
    seeds: SEEDS,
    date: new Date('2026-01-02T03:04:05Z'),
    definition: 'same',
    keyOf: (arm, seed) => `${arm}-${seed}`,
    ...options,
  });
