import { Agreement } from '../compress/agreement.js';
import { signatureOf } from '../compress/inputs.js';
import type { OutputAgreement, Progress, ScoreRow } from '../compress/report.js';
import { asRunner, compareEvaluations } from '../compress/scores.js';
import { type EvalFunction, type EvaluationReport, evaluate, type Runner } from '../data/evaluation.js';
import { generatedInputs } from '../data/generated.js';
import type { InputSource, Sample } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { createSession, type Provider, type Session, type SessionOptions } from '../runtime/index.js';
import { summarize, timeInterleaved } from '../runtime/timing.js';
import { VERSION } from '../version.js';
import { measureDrift } from './drift.js';
import { type Matched, matchInterface } from './interface.js';
import type { ComparedModel, CompareReport } from './report.js';

/** One of the models to compare. */
export interface Contender {
  readonly name: string;
  readonly model: Model;
  /** What ONNX Runtime loads: the file as it is, where there is one. */
  readonly source: string | Uint8Array | Model;
  readonly bytes: number;
  readonly gzipBytes?: number;
}

export interface CompareOptions {
  /** Inputs to run all of them on; made up from the first model's signature by default. */
  readonly inputs?: InputSource;
  /** How many inputs at most; default 32. */
  readonly samples?: number;
  /** A task's own measure. */
  readonly evaluate?: EvalFunction;
  /** Whether to time runs; default yes. */
  readonly timing?: boolean;
  /** On how many inputs to compare values inside of the models; default 4, 0 for none. */
  readonly driftSamples?: number;
  /** Measures what loading takes; given and giving one entry for each model. Node only. */
  readonly measureLoad?: (samples: readonly Sample[]) => Promise<ComparedModel['load'][]>;
  readonly seed?: number;
  readonly threads?: number;
  readonly provider?: Provider;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs models on the same inputs and measures what sets them apart: sizes, time, outputs, scores, and the values inside
 * that have the same names. The first is what the others are held against.
 * @throws WhittleError where there are fewer than two, or they do not take the same inputs
 */
export async function compareModels(
  contenders: readonly Contender[],
  options: CompareOptions = {},
): Promise<CompareReport> {
  const [first] = contenders;
  if (!first || contenders.length < 2) {
    throw new WhittleError('a comparison needs two models or more', { hint: 'Give the original first' });
  }
  const { samples: limit = 32, seed = 0, signal, onProgress, driftSamples = 4 } = options;
  const source = options.inputs ?? generatedInputs(signatureOf(first.model), { seed, count: limit });
  const samples = await collect(source, limit);
  const settings: SessionOptions = {
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.provider !== undefined && { provider: options.provider }),
  };
  const sessions: Session[] = [];
  try {
    for (const { source: from } of contenders) sessions.push(await createSession(from, settings));
    const matched = sessions.map((session, i) => matchInterface(sessions[0]!, session, contenders[i]!.name));
    const warnings = [...(source.notes ?? []), ...matched.flatMap(({ note }) => note ?? [])];
    const outputs = await agreement(matched, samples, options);
    const scores = await scoreAll(sessions, options);
    const times = options.timing === false ? [] : await timeAll(sessions, matched, samples[0]!, options);
    const loads = (await options.measureLoad?.(matched.map(({ feeds }) => feeds(samples[0]!)))) ?? [];
    const models: ComparedModel[] = [];
    for (const [i, contender] of contenders.entries()) {
      const { name, model, bytes, gzipBytes } = contender;
      signal?.throwIfAborted();
      if (i > 0 && driftSamples > 0) {
        onProgress?.({ phase: 'layers', done: i - 1, total: contenders.length - 1, detail: name });
      }
      const drift =
        i === 0 || driftSamples === 0
          ? undefined
          : await measureDrift(first.model, model, samples.slice(0, driftSamples), settings, signal).catch(
              (error: unknown) => {
                if (!(error instanceof WhittleError)) throw error;
                warnings.push(`The values inside of ${name} cannot be compared: ${error.message}`);
                return undefined;
              },
            );
      models.push({
        name,
        ...(model.path !== undefined && { path: model.path }),
        producer: `${model.producerName} ${model.producerVersion}`.trim(),
        nodes: model.graph.nodes.size,
        bytes,
        ...(gzipBytes !== undefined && { gzipBytes }),
        ...(loads[i] && { load: loads[i] }),
        ...(times[i] && { time: times[i] }),
        outputs: outputs[i]!,
        scores: scores[i]!,
        ...(drift && { drift }),
      });
    }
    return {
      version: 1,
      date: new Date().toISOString(),
      whittle: VERSION,
      inputs: {
        source: source.description,
        samples: samples.length,
        generated: source.generated ?? false,
      },
      provider: sessions[0]!.provider,
      models,
      warnings: [...new Set(warnings)],
    };
  } finally {
    await Promise.all(sessions.map(session => session.release()));
  }
}

async function collect(source: InputSource, limit: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of source.samples()) {
    if (samples.push(sample) >= limit) break;
  }
  if (samples.length === 0) throw new WhittleError('there are no inputs to compare on');
  return samples;
}

/** Every model's outputs against the first one's. */
async function agreement(
  matched: readonly Matched[],
  samples: readonly Sample[],
  { onProgress, signal }: CompareOptions,
): Promise<OutputAgreement[][]> {
  const found = matched.map(() => new Map<string, Agreement>());
  for (const [s, sample] of samples.entries()) {
    signal?.throwIfAborted();
    onProgress?.({ phase: 'outputs', done: s, total: samples.length });
    const expected = await matched[0]!.run(sample);
    for (let i = 1; i < matched.length; i++) {
      const actual = await matched[i]!.run(sample);
      for (const [name, tensor] of Object.entries(expected)) {
        if (tensor.dtype === 'string') continue;
        if (actual[name]!.size !== tensor.size) {
          throw new WhittleError(
            `two models give outputs of other shapes: [${tensor.dims}] and [${actual[name]!.dims}]`,
            { value: name, hint: 'Compare versions of one model' },
          );
        }
        const known = found[i]!.get(name) ?? new Agreement(name);
        found[i]!.set(name, known);
        known.add(tensor, actual[name]!);
      }
    }
  }
  return found.map(outputs => [...outputs.values()].map(({ result }) => result));
}

/** The user's evaluation of every model, each against the first. */
async function scoreAll(
  sessions: readonly Session[],
  { evaluate: measure, onProgress, signal }: CompareOptions,
): Promise<ScoreRow[][]> {
  if (!measure) return sessions.map(() => []);
  const reference: Runner = asRunner(sessions[0]!);
  const reports: EvaluationReport[] = [];
  for (const [i, session] of sessions.entries()) {
    const runner = i === 0 ? reference : asRunner(session);
    reports.push(
      await evaluate(measure, runner, {
        reference,
        onProgress: (done, total) =>
          onProgress?.({ phase: 'evaluate', done: i * total + done, total: sessions.length * total }),
        ...(signal && { signal }),
      }),
    );
  }
  return reports.map(report => compareEvaluations(reports[0]!, report).scores);
}

/** All models in turns on one input. */
async function timeAll(
  sessions: readonly Session[],
  matched: readonly Matched[],
  sample: Sample,
  { onProgress }: CompareOptions,
): Promise<NonNullable<ComparedModel['time']>[]> {
  onProgress?.({ phase: 'time', done: 0, total: 1 });
  const bound = sessions.map((session, i) => session.bind(matched[i]!.feeds(sample)));
  const steps = bound.map(run => () => run.run());
  return (await timeInterleaved(steps, { seconds: 0.7 * sessions.length })).map(summarize);
}
