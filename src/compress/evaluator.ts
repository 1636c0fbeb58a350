import type { EvaluationReport } from '../data/evaluation.js';
import { evaluate } from '../data/evaluation.js';
import type { Model } from '../graph/model.js';
import { modelByteLength } from '../onnx/index.js';
import {
  compareSessions,
  createSession,
  type Session,
  type SessionOptions,
  type Tensors,
} from '../runtime/index.js';
import { tellsProcessorTime } from '../runtime/timing.js';
import { Agreement } from './agreement.js';
import type { CompressOptions } from './options.js';
import type { OutputAgreement } from './report.js';
import { asRunner, compareEvaluations, type ScoreComparison } from './scores.js';

/** Outputs of the original beyond this are computed again for each model instead of kept. */
const MAX_KEPT_BYTES = 256e6;

/** An original of so many bytes makes room for what is compared with it, where its outputs are kept. */
const LARGE_BYTES = 200e6;

/** Long enough to tell two plans apart, short enough for a search. */
const TIMING = { seconds: 0.6 };

type EvaluatorOptions = Pick<CompressOptions, 'threads' | 'provider' | 'evaluate' | 'signal'>;

/** Measures any number of versions of one model against it in ONNX Runtime, on the same inputs. */
export class Evaluator {
  private readonly original: Model;
  /** Of the original; opened again where it is needed after it made room. */
  private session: Session | undefined;
  /** What times are read from. */
  readonly clock: 'wall' | 'processor';
  private readonly samples: readonly Tensors[];
  private readonly options: EvaluatorOptions;
  private readonly kept: Tensors[] = [];
  private keptBytes = 0;
  private ofOriginal: EvaluationReport | undefined;

  private constructor(
    original: Model,
    session: Session,
    samples: readonly Tensors[],
    options: EvaluatorOptions,
  ) {
    this.original = original;
    this.session = session;
    this.clock = clockFor(session, options);
    this.samples = samples;
    this.options = options;
  }

  static async create(
    original: Model,
    samples: readonly Tensors[],
    options: EvaluatorOptions = {},
  ): Promise<Evaluator> {
    const session = await createSession(original, sessionOptions(options));
    return new Evaluator(original, session, samples, options);
  }

  get evaluates(): boolean {
    return this.options.evaluate !== undefined;
  }

  /** Likeness of a model's outputs to the original's. */
  async outputs(model: Model): Promise<OutputAgreement[]> {
    await this.makeRoom();
    return this.withSession(model, session => this.compare(session));
  }

  /** The user's evaluation of the original and of the model; nothing where there is none. */
  async scores(model: Model): Promise<ScoreComparison> {
    if (!this.options.evaluate) return { scores: [], worst: [] };
    return this.withSession(model, session => this.score(session));
  }

  /** Time of one run of a model for one unit of the original's, both run in turns. */
  async timeRatio(model: Model): Promise<number> {
    return this.withSession(model, async session => {
      const { ratio } = await compareSessions(await this.reference(), session, this.samples[0]!, {
        ...TIMING,
        clock: this.clock,
      });
      return ratio;
    });
  }

  private async compare(session: Session): Promise<OutputAgreement[]> {
    const agreements = new Map<string, Agreement>();
    for (const [i, sample] of this.samples.entries()) {
      this.options.signal?.throwIfAborted();
      const actual = await session.run(sample);
      for (const [name, expected] of Object.entries(await this.expected(i))) {
        if (expected.dtype === 'string') continue;
        const agreement = agreements.get(name) ?? new Agreement(name);
        agreements.set(name, agreement);
        agreement.add(expected, actual[name]!);
      }
    }
    return [...agreements.values()].map(agreement => agreement.result);
  }

  private async reference(): Promise<Session> {
    this.session ??= await createSession(this.original, sessionOptions(this.options));
    return this.session;
  }

  private async makeRoom(): Promise<void> {
    if (modelByteLength(this.original) < LARGE_BYTES) return;
    for (const i of this.samples.keys()) {
      await this.expected(i);
      if (!this.kept[i]) return;
    }
    await this.release();
  }

  private async expected(index: number): Promise<Tensors> {
    const known = this.kept[index];
    if (known) return known;
    const outputs = await (await this.reference()).run(this.samples[index]!);
    const bytes = Object.values(outputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.keptBytes + bytes <= MAX_KEPT_BYTES) {
      this.kept[index] = outputs;
      this.keptBytes += bytes;
    }
    return outputs;
  }

  private async score(session: Session): Promise<ScoreComparison> {
    const { evaluate: evalFunction, signal } = this.options;
    const reference = asRunner(await this.reference());
    const context = { reference, ...(signal && { signal }) };
    this.ofOriginal ??= await evaluate(evalFunction!, reference, context);
    return compareEvaluations(this.ofOriginal, await evaluate(evalFunction!, asRunner(session), context));
  }

  private async withSession<T>(model: Model, use: (session: Session) => Promise<T>): Promise<T> {
    const session = await createSession(model, sessionOptions(this.options));
    try {
      return await use(session);
    } finally {
      await session.release();
    }
  }

  async release(): Promise<void> {
    await this.session?.release();
    this.session = undefined;
  }
}

/** Other programs must not decide which model is fast: on one thread the processor's time is read. */
export const clockFor = (
  { provider }: Pick<Session, 'provider'>,
  { threads }: Pick<CompressOptions, 'threads'>,
): 'wall' | 'processor' =>
  threads === 1 && provider === 'cpu' && tellsProcessorTime() ? 'processor' : 'wall';

const sessionOptions = ({ threads, provider }: EvaluatorOptions): SessionOptions => ({
  ...(threads !== undefined && { threads }),
  ...(provider !== undefined && { provider }),
});
