import type { Site } from '../calibrate/sites.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import { modelByteLength } from '../onnx/index.js';
import { cutOut } from './fragment.js';
import type { Candidate } from './method.js';

/** A candidate with its price. */
export interface Scored {
  readonly candidate: Candidate;
  /** Bytes of the written file that the layer takes. */
  readonly bytes: number;
  /** ‖y − ŷ‖ / ‖y − ȳ‖ of the layer's output on the calibration inputs. */
  readonly error: number;
}

/** Bytes that a site takes as it is, and with a candidate, by writing both. */
export class ByteScale {
  /** Bytes of the site's layer that are not its weight. */
  private readonly frame: number;
  readonly before: number;
  private readonly site: Site;
  private readonly model: Model;

  constructor(site: Site, model: Model) {
    this.site = site;
    this.model = model;
    this.before = site.tensor.byteLength;
    this.frame = modelByteLength(cutOut(site, model).model) - this.before;
  }

  bytesOf(candidate: Candidate): number {
    const { model, target } = cutOut(this.site, this.model);
    if (candidate.outline) candidate.outline(target);
    else candidate.apply(target);
    removeDead(model.graph);
    return modelByteLength(model) - this.frame;
  }
}
