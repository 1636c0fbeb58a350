import { type ImageArray, loadFashionMnist } from 'whittle-nn/datasets/node';

/** The images of one part. */
export const images = (part: 'train' | 'test'): ImageArray =>
  loadFashionMnist(process.env.FASHION_MNIST ?? '/usr/share/datasets/fashion-mnist', part);
