import type { EvaluationReport } from '../data/evaluation.js';
import { evaluate } from '../data/evaluation.js';
import type { Model } from '../graph/model.js';
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

/** Long enough to tell two plans apart, short enough for a search. */
const TIMING = { seconds: 0.6 };

type EvaluatorOptions = Pick<CompressOptions, 'threads' | 'provider' | 'evaluate' | 'signal'>;

/** Measures any number of versions of one model against it in ONNX Runtime, on the same inputs. */
export class Evaluator {
  private readonly original: Session;
  private readonly samples: readonly Tensors[];
  private readonly options: EvaluatorOptions;
  private readonly kept: Tensors[] = [];
  private keptBytes = 0;
  private ofOriginal: EvaluationReport | undefined;

  private constructor(original: Session, samples: readonly Tensors[], options: EvaluatorOptions) {
    this.original = original;
    this.samples = samples;
    this.options = options;
  }

  static async create(
    original: Model,
    samples: readonly Tensors[],
    options: EvaluatorOptions = {},
  ): Promise<Evaluator> {
    return new Evaluator(await createSession(original, sessionOptions(options)), samples, options);
  }

  /** What times are read from. */
  get clock(): 'wall' | 'processor' {
    return clockFor(this.original, this.options);
  }

  get evaluates(): boolean {
    return this.options.evaluate !== undefined;
  }

  /** Likeness of a model's outputs to the original's. */
  async outputs(model: Model): Promise<OutputAgreement[]> {
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
      const { ratio } = await compareSessions(this.original, session, this.samples[0]!, {
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

  private async expected(index: number): Promise<Tensors> {
    const known = this.kept[index];
    if (known) return known;
    const outputs = await this.original.run(this.samples[index]!);
    const bytes = Object.values(outputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.keptBytes + bytes <= MAX_KEPT_BYTES) {
      this.kept[index] = outputs;
      this.keptBytes += bytes;
    }
    return outputs;
  }

  private async score(session: Session): Promise<ScoreComparison> {
    const { evaluate: evalFunction, signal } = this.options;
    const reference = asRunner(this.original);
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

  release(): Promise<void> {
    return this.original.release();
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
