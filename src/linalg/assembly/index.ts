/** What the compiled module offers to JavaScript. */
export { axpy, dot, maxAbs, scale } from './blas1';
export { gemm, gemmLower, syrk } from './gemm';
export { finishSvd, gesdd } from './gesdd';
export { gptq } from './gptq';
export { gramVectors } from './gramsvd';
export { gramValues } from './gramvalues';
export { potrf } from './potrf';
export { qr } from './qrfactors';
export { signRows } from './signs';
export { syev, syevd } from './syevd';
export { transpose } from './transpose';
export { trsm } from './trsm';
export { trtri } from './trtri';
export { mark, peakBytes, release, reserve, take } from './workspace';
