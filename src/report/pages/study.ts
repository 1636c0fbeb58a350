import type { StudyReport } from '../../study/summary.js';
import { html } from '../markup.js';
import { page } from '../page.js';
import { studySummary } from '../study.js';

/** The page of a study. */
export function studyPage(report: StudyReport): string {
  return page({
    title: report.title,
    origin: html`<b>${report.title}</b>`,
    headline: studySummary(report),
    body: html`<p>${report.question}</p>`,
    footer: '',
  });
}
