import type { Site } from '../calibrate/sites.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import { createSession, type SessionOptions, type Tensors, timeSession } from '../runtime/index.js';
import { captureInputs } from './capture.js';
import { Distortion } from './distortion.js';
import { cutOut } from './fragment.js';
import type { Job } from './job.js';
import type { Scored } from './score.js';
import type { LayerStudy } from './search/plan.js';
import { writeChoices } from './write.js';

/** Runs by which a layer's time is told; it is checked on the whole model in the end. */
const TIMING = { warmup: 2, runs: 9 };

/**
 * Adds what the closed form cannot know: what forms do to the outputs that round activations, by running the model with
 * that layer alone in it, and where speed is the goal the time of each layer in each form, by running it cut out of the
 * model.
 */
export async function measureForms(job: Job, studies: readonly LayerStudy[]): Promise<LayerStudy[]> {
  const { model, inputs, options, clock } = job;
  const session: SessionOptions = options.threads === undefined ? {} : { threads: options.threads };
  const sites = studies.map(({ site }) => site);
  const timed = job.settings.goal === 'speed' ? sites : [];
  const captured = await captureInputs(model, timed, inputs.probes.slice(0, 1), options);
  const reference = await run(model, inputs.probes, session);
  const distortion = new Distortion(reference);
  const measuredForms = clock.start('forms', studies.length);
  const refined: LayerStudy[] = [];
  for (const [i, study] of studies.entries()) {
    measuredForms(i, study.site.value.name);
    const measured = new Map<Scored, number>();
    for (const scored of study.scored) {
      if (!scored.candidate.roundsActivations) continue;
      const outputs = await run(writeChoices(model, new Map([[study.site, scored]])), inputs.probes, session);
      const sum = outputs.reduce((total, output, sample) => total + distortion.ofSample(sample, output), 0);
      measured.set(scored, sum / outputs.length);
    }
    if (job.settings.goal !== 'speed') {
      refined.push({ ...study, measured });
      continue;
    }
    const feeds = captured.get(study.site)?.[0];
    const times = feeds && (await timesOf(model, study, feeds, session));
    refined.push({ ...study, measured, times: times ?? { before: 0, of: new Map() } });
  }
  return refined;
}

async function run(model: Model, samples: readonly Tensors[], options: SessionOptions): Promise<Tensors[]> {
  const session = await createSession(model, options);
  try {
    const outputs: Tensors[] = [];
    for (const sample of samples) outputs.push(await session.run(sample));
    return outputs;
  } finally {
    await session.release();
  }
}

async function timesOf(
  model: Model,
  { site, scored }: LayerStudy,
  feeds: Tensors,
  options: SessionOptions,
): Promise<NonNullable<LayerStudy['times']>> {
  const time = async (candidate?: Scored['candidate']): Promise<number> => {
    const fragment = fragmentOf(site, model, feeds, candidate);
    const session = await createSession(fragment, options);
    try {
      return (await timeSession(session, feeds, TIMING)).medianMs;
    } finally {
      await session.release();
    }
  };
  const before = await time();
  const of = new Map<Scored, number>();
  for (const s of scored) {
    const { form = 'fold', rank } = s.candidate;
    // What is folded into the same weight at load runs as before.
    const same = form === 'fold' && rank === undefined;
    of.set(s, same ? before : await time(s.candidate));
  }
  return { before, of };
}

function fragmentOf(site: Site, model: Model, feeds: Tensors, candidate?: Scored['candidate']): Model {
  const { model: fragment, target } = cutOut(site, model, feeds);
  candidate?.apply(target);
  removeDead(fragment.graph);
  return fragment;
}
