import { isLarge } from '../calibrate/sites.js';
import { modelByteLength } from '../onnx/index.js';
import { EndToEnd } from './end-to-end.js';
import type { Job } from './job.js';
import { measureForms } from './measure-forms.js';
import type { LayerStudy } from './search/plan.js';
import { probeSensitivity } from './sensitivity.js';
import { type LayerFindings, studyLayers } from './study.js';

/** Scores what the methods make of each selected layer. */
export const study = ({
  model,
  selected,
  inputs,
  settings,
  methods,
  options,
  clock,
  cache,
}: Job): Promise<LayerFindings[]> =>
  studyLayers(model, selected, inputs.calibration, {
    methods,
    settings,
    onlyMethods: options.onlyMethods,
    threads: options.threads,
    clock,
    cache,
  });

/** Layers of at least this share of the model are probed at more than one level, unless the model is large. */
const LARGE = 0.004;

/** Measures what an error in each layer does to the outputs, then hands on what is known of the layers. */
export async function withStudies<T>(
  job: Job,
  findings: readonly LayerFindings[],
  use: (studies: readonly LayerStudy[], endToEnd: EndToEnd) => Promise<T>,
): Promise<T> {
  const { model, inputs, options, clock } = job;
  const sites = findings.map(({ site }) => site);
  const endToEnd = await EndToEnd.create(model, sites, inputs.probes, options.threads);
  try {
    const total = modelByteLength(model);
    const probed = clock.start('probe', findings.length);
    const cache = await job.cache?.with(inputs.probes);
    const studies: LayerStudy[] = [];
    for (const [i, { site, bytesBefore, scored }] of findings.entries()) {
      probed(i, site.value.name);
      const levels = bytesBefore >= LARGE * total && !isLarge(sites) ? 2 : 1;
      const sensitivity = await probeSensitivity(
        site,
        scored,
        endToEnd,
        levels,
        cache?.figures('probes', site),
      );
      studies.push({ site, bytesBefore, scored, sensitivity });
    }
    const refined = job.settings.goal === 'size' ? studies : await measureForms(job, studies);
    return await use(refined, endToEnd);
  } finally {
    await endToEnd.release();
  }
}
