import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web';
import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { Engine } from './backend.js';
import { BoundRun, type RunTensor } from './bound.js';
import { fromOrt, passes, toOrt } from './convert.js';
import { ortFailure, RUN_FAILED } from './failure.js';
import { checkFeeds, type ValueInfo } from './feeds.js';
import type { Provider } from './options.js';

/** Tensors by the name of a model's input or output. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A model that ONNX Runtime has loaded. Make one with `createSession`. */
export class Session {
  readonly provider: Provider;
  readonly inputs: readonly ValueInfo[];
  /** The model's own outputs. */
  readonly outputs: readonly ValueInfo[];
  /** Intermediate values that `run` may fetch besides. */
  readonly exposed: readonly ValueInfo[];
  /** Dtypes of all that ONNX Runtime can hand out, those included that JavaScript cannot hold. */
  readonly dtypes: ReadonlyMap<string, DType | undefined>;
  /** The file that the model is from, for messages. */
  readonly file: string | undefined;
  private readonly engine: Engine;
  private readonly native: InferenceSession;
  private readonly profiling: boolean;
  private readonly running: Set<Promise<unknown>> = new Set();
  private released: Promise<void> | undefined;

  /** For `createSession`. */
  constructor(
    engine: Engine,
    native: InferenceSession,
    {
      file,
      exposed = [],
      profiling = false,
    }: { file?: string | undefined; exposed?: readonly string[]; profiling?: boolean },
  ) {
    this.engine = engine;
    this.native = native;
    this.provider = engine.provider;
    this.file = file;
    this.profiling = profiling;
    this.inputs = native.inputMetadata.map(valueInfo);
    const outputs = native.outputMetadata.map(valueInfo);
    const added = new Set(exposed);
    this.outputs = outputs.filter(({ name }) => !added.has(name));
    this.exposed = outputs.filter(({ name, dtype }) => added.has(name) && dtype && passes(dtype));
    this.dtypes = new Map(outputs.map(output => [output.name, output.dtype]));
  }

  /**
   * Runs the model. The feeds' memory is read in place where possible and must not change meanwhile.
   * @param fetches names of outputs or exposed values; default the model's own outputs
   * @throws WhittleError for feeds that do not fit the inputs, unknown fetches, a released session, and where a
   *   node fails
   */
  async run(feeds: Tensors, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const names = fetches ?? this.outputs.map(output => output.name);
    this.check(feeds, names);
    const { ort } = this.engine;
    const ortFeeds: Record<string, OrtTensor> = {};
    for (const name in feeds) ortFeeds[name] = toOrt(ort, feeds[name]!, name);
    const results = await this.call(ortFeeds, names);
    const tensors: Record<string, Tensor> = {};
    for (const name of names) {
      const result = results[name] as OrtTensor;
      if (result.location !== 'cpu') await result.getData(true);
      tensors[name] = fromOrt(result);
    }
    return tensors;
  }

  /**
   * Prepares a run for repeating: names, dtypes and shapes are checked and converted once, not at every run.
   * @param outputs what to fetch, each with a tensor to write into or `null` for a new one at each run; default the
   *   model's own outputs, all `null`
   * @throws WhittleError as `run` does
   */
  bind(
    feeds: Readonly<Record<string, RunTensor>>,
    outputs: Readonly<Record<string, Tensor | null>> = Object.fromEntries(
      this.outputs.map(output => [output.name, null]),
    ),
  ): BoundRun {
    this.check(feeds, Object.keys(outputs));
    const invoke = (ortFeeds: Record<string, OrtTensor>, fetches: InferenceSession.FetchesType) => {
      this.checkOpen();
      return this.call(ortFeeds, fetches);
    };
    return new BoundRun(this.engine, invoke, feeds, outputs);
  }

  /** Frees the model's memory once the runs in progress have ended. Further calls do nothing. */
  release(): Promise<void> {
    this.released ??= this.finish();
    return this.released;
  }

  private async finish(): Promise<void> {
    await Promise.allSettled(this.running);
    if (this.profiling) this.native.endProfiling();
    await this.engine.exclusively(() => this.native.release());
  }

  private checkOpen(): void {
    if (this.released) throw new WhittleError('the session is released', this.place);
  }

  private check(feeds: Readonly<Record<string, RunTensor>>, fetches: readonly string[]): void {
    this.checkOpen();
    checkFeeds(this.inputs, feeds, this.file);
    for (const name of fetches) {
      if (this.dtypes.has(name)) continue;
      throw new WhittleError(`"${name}" is neither an output of the model nor exposed`, {
        ...this.place,
        hint: `Outputs: ${this.outputs.map(o => o.name).join(', ')}. Intermediate values must be named when the session is made: createSession(model, { expose: ['${name}'] })`,
      });
    }
  }

  private async call(
    feeds: Record<string, OrtTensor>,
    fetches: InferenceSession.FetchesType,
  ): Promise<InferenceSession.ReturnType> {
    const run = this.engine.exclusively(() => this.native.run(feeds, fetches));
    this.running.add(run);
    try {
      return await run;
    } catch (error) {
      throw ortFailure(RUN_FAILED, error, this.place);
    } finally {
      this.running.delete(run);
    }
  }

  private get place(): { file?: string } {
    return this.file === undefined ? {} : { file: this.file };
  }
}

function valueInfo(metadata: InferenceSession.ValueMetadata): ValueInfo {
  const { name } = metadata;
  if (!metadata.isTensor) return { name, dtype: undefined, shape: undefined };
  const { type, shape } = metadata;
  return {
    name,
    dtype: type,
    // ONNX Runtime reports the same for a scalar as for a shape that it does not know.
    shape: shape.length === 0 ? undefined : shape.map(dim => (dim === '' ? null : dim)),
  };
}
