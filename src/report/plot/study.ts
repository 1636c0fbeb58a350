import { line, symbol, symbolsFill } from 'd3-shape';
import { mean } from '../../study/statistics/compare.js';
import type { ArmSummary, StudyReport } from '../../study/summary.js';
import { brief, shorten } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { labelIn, spreadText, valueText } from '../study.js';
import { studySummary } from '../study-summary.js';
import { type Axis, chart, extent, px, type Scale, svg } from './chart.js';
import { standalone } from './standalone.js';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** An arm as the plot shows it. */
interface Mark {
  readonly arm: ArmSummary;
  readonly x: number;
  readonly mean: number;
  readonly error: number;
}

/**
 * The deciding figure of each arm, with standard errors: against the study's horizontal axis, or one arm a row where
 * there is none or most arms have the same place on it.
 */
export function studyPlot(report: StudyReport, size: Size): Markup {
  const marks = marksOf(report);
  const placed = marks.filter(({ x }) => Number.isFinite(x) && (!report.plot.log || x > 0));
  const plain = placed.length < Math.max(2, marks.length) || crowded(report, placed);
  return plain ? rows(report, marks, size) : against(report, placed, size);
}

/** The plot as a file of its own, readable on light and dark pages. */
export const studyFigure = (report: StudyReport): string =>
  standalone(studyPlot(report, { width: 720, height: 400 }), { width: 720 });

function marksOf({ arms, metric, plot }: StudyReport): Mark[] {
  return arms.flatMap(arm => {
    const spread = arm.figures[metric.figure];
    if (!spread || !Number.isFinite(spread.mean)) return [];
    const x = (plot.x ? arm.figures[plot.x.figure]?.mean : arm.x) ?? Number.NaN;
    return [{ arm, x, mean: spread.mean, error: spread.standardError ?? 0 }];
  });
}

const crowded = (report: StudyReport, marks: readonly Mark[]): boolean =>
  clusters(report, marks).some(({ length }) => length > Math.max(3, marks.length / 2));

/** Marks that would lie upon each other: none is farther from the next than a fiftieth of the axis. */
function clusters({ plot }: StudyReport, marks: readonly Mark[]): Mark[][] {
  const at = ({ x }: Mark) => (plot.log ? Math.log(x) : x);
  const sorted = [...marks].sort((a, b) => a.x - b.x);
  const near = 0.02 * (at(sorted.at(-1)!) - at(sorted[0]!));
  const found: Mark[][] = [];
  for (const mark of sorted) {
    const last = found.at(-1);
    if (last && at(mark) - at(last.at(-1)!) <= near) last.push(mark);
    else found.push([mark]);
  }
  return found;
}

/** Where marks stand, in pixels: those of one place side by side, in the order of the series. */
function dodge(report: StudyReport, marks: readonly Mark[], x: Scale): Map<Mark, number> {
  const groups = clusters(report, marks);
  const middles = groups.map(group => mean(group.map(mark => x(mark.x))));
  const gap = Math.min(...middles.slice(1).map((middle, i) => middle - middles[i]!));
  return new Map(
    groups.flatMap((group, at) => {
      const step = Math.min(9, (0.8 * gap) / group.length);
      const ordered = marks.filter(mark => group.includes(mark));
      return ordered.map((mark, i) => [mark, middles[at]! + step * (i - (ordered.length - 1) / 2)] as const);
    }),
  );
}

function against(report: StudyReport, marks: readonly Mark[], size: Size): Markup {
  const { plot } = report;
  const nameOf = ({ arm }: Mark) => arm.series ?? arm.label;
  const series = [...new Set(marks.map(nameOf))].map((name, i) => ({
    name,
    points: marks.filter(mark => nameOf(mark) === name).sort((a, b) => a.x - b.x),
    ...toneOf(i),
  }));
  const key = legend(series, size.width);
  const x: Axis = {
    label: plot.x?.label ?? '',
    domain: padded(
      extent(
        marks.map(mark => mark.x),
        plot.log,
      ),
      plot.log,
    ),
    log: plot.log,
    ticks: size.width < 480 ? 4 : 6,
    format: value => brief(valueText(value, plot.x?.format ?? 'number')),
  };
  return chart(
    {
      ...titleOf(report),
      ...size,
      margin: [34 + key.height, 18, 44, 62],
      x,
      y: cut(report, metricAxis(report, marks)),
    },
    (sx, sy) => {
      const at = dodge(
        report,
        series.flatMap(({ points }) => points),
        sx,
      );
      const path = line<Mark>(
        p => px(at.get(p)!),
        p => px(sy(shown(report, p.mean))),
      );
      return [
        key.drawn,
        series.map(
          ({ points, colour, dash }) =>
            points.length > 1 &&
            html`<path class="line" d="${path([...points])}" style="stroke:${colour}" stroke-dasharray="${dash}"/>`,
        ),
        series.map(({ points, colour, shape }) =>
          points.map(mark => {
            const { arm, mean, error } = mark;
            const [middle, low, high] = [mean, mean - error, mean + error].map(y => px(sy(shown(report, y))));
            const cx = px(at.get(mark)!);
            const beyond = shown(report, mean) !== mean;
            return html`<g><title>${titleFor(report, arm)}</title>${error > 0 && !beyond && html`<path d="M${cx},${low}V${high}M${px(cx - 4)},${low}h8M${px(cx - 4)},${high}h8" style="fill:none;stroke:${colour};stroke-width:1.25"/>`}<path class="dot" d="${shape}" transform="translate(${cx} ${middle})" style="fill:${colour}"/></g>`;
          }),
        ),
      ];
    },
  );
}

/** A value as far as the plot shows it. */
function shown({ metric, plot: { worst } }: StudyReport, value: number): number {
  if (worst === undefined) return value;
  return metric.betterIs === 'higher' ? Math.max(value, worst) : Math.min(value, worst);
}

/** The axis without what is worse than the plot shows. */
function cut(report: StudyReport, axis: Axis): Axis {
  const { metric, plot } = report;
  const [low, high] = [shown(report, axis.domain[0]), shown(report, axis.domain[1])];
  if (low === axis.domain[0] && high === axis.domain[1]) return axis;
  const beyond = `${metric.betterIs === 'higher' ? 'below' : 'above'} ${axis.format!(plot.worst!)}`;
  return { ...axis, label: `${axis.label}; at the edge: ${beyond}`, domain: [low, high] };
}

const ROW = 26;

/** One arm a row, under the name of its group. */
function rows(report: StudyReport, marks: readonly Mark[], { width }: Size): Markup {
  const { metric } = report;
  const longest = Math.floor(width / 3 / 6.4);
  const lines = marks.flatMap((mark, i): (Mark | string)[] => {
    const { group } = mark.arm;
    return group === undefined || group === marks[i - 1]?.arm.group ? [mark] : [group, mark];
  });
  const height = 64 + ROW * lines.length;
  const [top, left] = [
    20,
    Math.min(width / 3, 16 + 6.6 * Math.max(...marks.map(({ arm }) => arm.label.length), 0)),
  ];
  if (marks.length === 0)
    return svg(
      { ...titleOf(report), width, height: 24 },
      html`<text x="0" y="16">No run has ended yet.</text>`,
    );
  const { label, domain, format } = cut(report, metricAxis(report, marks));
  return chart(
    {
      ...titleOf(report),
      width,
      height,
      margin: [top, 18, 44, left],
      x: { label, domain, ticks: width < 480 ? 3 : 6, ...(format && { format }) },
      y: { label: '', domain: [lines.length - 0.5, -0.5], ticks: 0 },
    },
    (sx, sy, area) => {
      const at = (value: number) => px(sx(shown(report, value)));
      return lines.map((line, i) => {
        const y = px(sy(i));
        if (typeof line === 'string')
          return html`<text class="value" x="8" y="${y}" dy="0.5em" style="font-weight:600">${line}</text>`;
        const { arm, mean, error } = line;
        const colour = arm.name === report.reference ? 'var(--ink)' : toneOf(0).colour;
        const [low, high] = [at(mean - error), at(mean + error)];
        const beyond = shown(report, mean) !== mean;
        return html`<g><title>${titleFor(report, arm)}</title><line class="grid" x1="${area.left}" x2="${area.right}" y1="${y}" y2="${y}"/><text class="value" x="${px(area.left - 10)}" y="${y}" dy="0.32em" text-anchor="end">${shorten(arm.label, longest)}</text>${arm.figures[
          metric.figure
        ]!.values.map(
          value =>
            html`<circle cx="${at(value)}" cy="${y}" r="3" style="fill:none;stroke:${colour};opacity:0.55"/>`,
        )}${error > 0 && !beyond && html`<path d="M${low},${y}H${high}M${low},${px(y - 4)}v8M${high},${px(y - 4)}v8" style="fill:none;stroke:${colour};stroke-width:1.25"/>`}<circle class="dot" cx="${at(mean)}" cy="${y}" r="4.5" style="fill:${colour}"/></g>`;
      });
    },
  );
}

const titleOf = (report: StudyReport) => ({ title: report.title, description: studySummary(report) });

const titleFor = (report: StudyReport, arm: ArmSummary): string => {
  const { metric, columns } = report;
  const size = columns.find(({ figure }) => figure === 'parameters');
  const more = size ? `, ${spreadText(arm.figures.parameters, 'count')} parameters` : '';
  return `${labelIn(report, arm.name)}: ${spreadText(arm.figures[metric.figure], metric.format)}${more}`;
};

function metricAxis({ metric }: StudyReport, marks: readonly Mark[]): Axis {
  const values = marks.flatMap(({ arm, mean, error }) => [
    mean - error,
    mean + error,
    ...arm.figures[metric.figure]!.values,
  ]);
  const better = `${metric.label}, ${metric.betterIs} is better`;
  const format = (value: number) =>
    metric.format === 'percent' ? `${Number((100 * value).toFixed(4))}%` : valueText(value, metric.format);
  return { label: better, domain: padded(extent(values), false), ticks: 5, format };
}

/** A domain with some room on both sides, so that marks at its ends are whole. */
function padded([low, high]: readonly [number, number], log: boolean): [number, number] {
  if (log) {
    const room = (high / low) ** 0.05;
    return room > 1 ? [low / room, high * room] : [low / 1.5, high * 1.5];
  }
  const room = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
  return [low - room, high + room];
}

const DASHES = ['none', '6 3', '2 3', '8 3 2 3', '1 4', '10 4'];

interface Tone {
  readonly colour: string;
  readonly dash: string;
  readonly shape: string;
}

/** What tells series apart: colour, and shape and dashes for those who do not see it. */
export function toneOf(i: number): Tone {
  return {
    colour: `var(--series-${(i % 6) + 1})`,
    dash: DASHES[i % DASHES.length]!,
    shape: symbol(symbolsFill[i % symbolsFill.length], 64)() ?? '',
  };
}

/** Names of series above a plot, in as many lines as it takes. */
function legend(
  series: readonly ({ readonly name: string } & Tone)[],
  width: number,
): { drawn: Piece; height: number } {
  const GAP = 18;
  let [x, y] = [0, 0];
  const drawn = series.map(({ name, colour, shape }) => {
    const text = shorten(name, 40);
    const needed = 16 + 6.4 * text.length;
    if (x > 0 && x + needed > width) [x, y] = [0, y + GAP];
    const at = x;
    x += needed + 14;
    return html`<path class="dot" d="${shape}" transform="translate(${px(at + 6)} ${y + 8})" style="fill:${colour}"/><text class="value" x="${px(at + 16)}" y="${y + 8}" dy="0.32em">${text}</text>`;
  });
  return { drawn, height: y + GAP };
}
