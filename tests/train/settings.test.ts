import { expect, expectTypeOf, it } from 'vitest';
import {
  asTrainingConfig,
  choice,
  configure,
  defineTraining,
  flag,
  integer,
  number,
  readSettings,
  text,
  type ValuesOf,
} from '../../src/train/index.js';

const settings = {
  rate: number(0.1, { min: 0, max: 1 }),
  depth: integer(20, { min: 1 }),
  flip: flag(true),
  data: text('/data'),
  optimizer: choice('sgd', ['sgd', 'adamw']),
};

it('values are the defaults, changed by what is set', () => {
  expect(readSettings(settings, [])).toEqual({
    rate: 0.1,
    depth: 20,
    flip: true,
    data: '/data',
    optimizer: 'sgd',
  });
  const changed = readSettings(settings, [
    'rate=1e-3',
    'flip=false',
    'data=a=b',
    'optimizer=adamw',
    'depth=8',
    'depth=9',
  ]);
  expect(changed).toEqual({ rate: 0.001, depth: 9, flip: false, data: 'a=b', optimizer: 'adamw' });
  expectTypeOf<ValuesOf<typeof settings>>().toEqualTypeOf<{
    readonly rate: number;
    readonly depth: number;
    readonly flip: boolean;
    readonly data: string;
    readonly optimizer: 'sgd' | 'adamw';
  }>();
});

it.each([
  ['depht=3', /no setting "depht".*rate, depth, flip, data, optimizer/],
  ['toString=3', /no setting "toString"/],
  ['depth', /depth needs a value.*a whole number of at least 1, as in --set depth=20/],
  ['depth=2.5', /depth cannot be "2\.5"/],
  ['depth=0', /whole number of at least 1/],
  ['rate=', /rate cannot be ""/],
  ['rate=NaN', /rate cannot be "NaN"/],
  ['rate=2', /a number from 0 to 1/],
  ['flip=yes', /true or false/],
  ['optimizer=adam', /one of sgd, adamw/],
])('%s is refused with what would do', (change, message) => {
  expect(() => readSettings(settings, [change])).toThrow(message);
});

it('a configuration builds from its values', async () => {
  const config = defineTraining({ settings, build: ({ depth }) => ({ batchSize: depth }) as never });
  expect((await configure(asTrainingConfig(config, 'c.ts'), ['depth=5'])).training).toEqual({ batchSize: 5 });
  for (const wrong of [undefined, 3, {}, { settings: null, build: () => {} }]) {
    expect(() => asTrainingConfig(wrong, 'c.ts')).toThrow(
      /describes no training \(file c\.ts\).*defineTraining/,
    );
  }
});
