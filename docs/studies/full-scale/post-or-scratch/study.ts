/**
 * Compressed after training or trained small, family by family at equal bytes, with ResNet-32 of double width on CIFAR-10.
 * Wants a GPU and the binary version of CIFAR-10. It has not been run in full here.
 *
 *     whittle study docs/studies/full-scale/post-or-scratch --set data=cifar-10-batches-bin
 */
import { defineStudy } from 'whittle-nn/study';
import type { ValuesOf } from 'whittle-nn/train';
import small from '../../post-or-scratch/study.js';
import { resNet32Scale, resNet32Settings } from '../cifar-training.js';
import { scaledArms } from '../scaled.js';

const { share, fineTune } = small.settings;

const settings = { ...resNet32Settings, share, fineTune };

export default defineStudy({
  title: 'Compressed after training, or trained small, on CIFAR-10',
  question: small.question,
  notes: small.notes!.filter(note => !/small/.test(note)),
  claims: small.claims!,
  settings,
  places: ['data', 'provider'],
  seeds: 3,
  metric: small.metric,
  columns: small.columns!,
  reference: small.reference,
  plot: small.plot!,
  arms: scaledArms(small.arms, (values: ValuesOf<typeof settings>) => ({
    ...values,
    trainExamples: 50_000,
    scale: resNet32Scale(values),
  })),
});
