import { WhittleError } from '../graph/errors.js';
import { Random } from '../random/random.js';
import { KINDS, type Kind, type Relation } from './invented-relations.js';
import type { SquadDocument } from './squad.js';

export interface InventedFactsOptions {
  /** Texts; each has two subjects. */
  readonly articles: number;
  /** Facts about each subject, 1 to 4; default 3. There is a question about each. */
  readonly facts?: number;
  /** Default 0. */
  readonly seed?: number;
}

type Qa = SquadDocument['data'][number]['paragraphs'][number]['qas'][number];

/**
 * Questions about people, towns and ships that never were, in the format of SQuAD: enough to train and score span
 * extraction where SQuAD itself is not at hand. A text tells the same things of two subjects, in mixed order, so that
 * neither the kind of question nor the name alone leads to the answer. Everything follows from the seed.
 * @throws WhittleError for counts that make no sense
 */
export function inventedFacts({ articles, facts = 3, seed = 0 }: InventedFactsOptions): SquadDocument {
  if (!(Number.isInteger(articles) && articles > 0 && Number.isInteger(facts) && facts > 0 && facts <= 4)) {
    throw new WhittleError(`there are no ${articles} articles of ${facts} facts about each subject`, {
      hint: 'Give a whole number of articles and 1 to 4 facts',
    });
  }
  const data = Array.from({ length: articles }, (_, number) => {
    const random = new Random(seed, `article ${number}`);
    const kind = KINDS[random.integer(KINDS.length)]!;
    return article(kind, facts, `${seed}-${number}`, random);
  });
  return { version: '1.1', data };
}

function article(kind: Kind, facts: number, id: string, random: Random): SquadDocument['data'][number] {
  const subjects = distinct(2, () => kind.name(random));
  const order = random.permutation(kind.relations.length);
  const relations = Array.from(order.subarray(0, facts), i => kind.relations[i]!);
  const told = subjects.flatMap(subject => relations.map(relation => ({ subject, relation })));
  const qas: Qa[] = [];
  let context = '';
  for (const at of random.permutation(told.length)) {
    const { subject, relation } = told[at]!;
    const { sentence, answers } = tell(subject, relation, random);
    const offset = context === '' ? 0 : context.length + 1;
    context = context === '' ? sentence : `${context} ${sentence}`;
    qas.push({
      id: `${id}-${at}`,
      question: pick(relation.questions, random).replace('{s}', subject),
      answers: answers.map(({ text, start }) => ({ text, answer_start: offset + start })),
    });
  }
  return { title: subjects.join(' and '), paragraphs: [{ context, qas }] };
}

/** A sentence, and what in it answers the question: the words, and where there is one with the article before them. */
function tell(subject: string, { forms, answer }: Relation, random: Random) {
  const { words, article: before } = answer(random);
  const full = before === undefined ? words : `${before} ${words}`;
  const sentence = pick(forms, random).replace('{s}', subject).replace('{a}', full);
  const start = sentence.lastIndexOf(full);
  const texts = before === undefined ? [words] : [words, full];
  return { sentence, answers: texts.map(text => ({ text, start: start + full.length - text.length })) };
}

function distinct(count: number, draw: () => string): string[] {
  const found = new Set<string>();
  while (found.size < count) found.add(draw());
  return [...found];
}

const pick = <T>(list: readonly T[], random: Random): T => list[random.integer(list.length)]!;
