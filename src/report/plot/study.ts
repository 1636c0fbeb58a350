import type { StudyReport } from '../../study/summary.js';
import { svg } from './chart.js';

export const studyFigure = (report: StudyReport): string =>
  svg({ title: report.title, description: report.question, width: 100, height: 100 }, '').text;
