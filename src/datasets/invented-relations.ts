import type { Random } from '../random/random.js';

/** Something that can be told of a subject, and asked. `{s}` stands for the subject, `{a}` for the answer. */
export interface Relation {
  readonly forms: readonly string[];
  readonly questions: readonly string[];
  answer(random: Random): { readonly words: string; readonly article?: string };
}

/** A kind of subject, such as people. */
export interface Kind {
  name(random: Random): string;
  readonly relations: readonly Relation[];
}

const from =
  (...list: readonly string[]) =>
  (random: Random): string =>
    list[random.integer(list.length)]!;

const onset = from(
  'B',
  'Br',
  'C',
  'D',
  'Dr',
  'F',
  'G',
  'Gr',
  'H',
  'K',
  'L',
  'M',
  'N',
  'P',
  'R',
  'S',
  'T',
  'V',
);
const nucleus = from('a', 'e', 'i', 'o', 'u', 'ae', 'ea', 'ou');
const middle = from('l', 'm', 'n', 'r', 's', 't', 'd', 'rr', 'll', 'nd', 'st', 'v', 'k');
const given = from('a', 'o', 'in', 'en', 'is', 'ek', 'ia', 'el');
const family = from('mann', 'ov', 'son', 'ley', 'art', 'ini', 'quist', 'ham');
const town = from('ford', 'burg', 'mouth', 'stead', 'by', 'haven', 'wick', 'minster');

const syllables = (random: Random): string => onset(random) + nucleus(random) + middle(random);
const person = (random: Random): string =>
  `${syllables(random)}${given(random)} ${syllables(random)}${family(random)}`;
const place = (random: Random): string => syllables(random) + town(random);
const ship = (random: Random): string =>
  `the ${from('Grey', 'Silver', 'Northern', 'Patient', 'Second', 'Merry', 'Iron', 'Quiet')(random)} ${syllables(random)}${given(random)}`;

const name = (draw: (random: Random) => string) => (random: Random) => ({ words: draw(random) });
const year = (random: Random) => ({ words: `${1500 + random.integer(450)}` });

/** A word with the indefinite article that goes before it. */
const one =
  (...list: readonly string[]) =>
  (random: Random) => {
    const words = from(...list)(random);
    return { words, article: /^[aeiou]/.test(words) ? 'an' : 'a' };
  };

export const KINDS: readonly Kind[] = [
  {
    name: person,
    relations: [
      {
        forms: ['{s} was born in {a}.', 'The birthplace of {s} is {a}.'],
        questions: ['Where was {s} born?', 'What is the birthplace of {s}?'],
        answer: name(place),
      },
      {
        forms: ['{s} worked as {a}.', 'By trade {s} was {a}.'],
        questions: ['What did {s} work as?', 'What was the trade of {s}?'],
        answer: one(
          'glassblower',
          'weaver',
          'organist',
          'surveyor',
          'beekeeper',
          'engraver',
          'judge',
          'baker',
        ),
      },
      {
        forms: ['{s} died in {a}.', 'The death of {s} was in {a}.'],
        questions: ['When did {s} die?', 'In which year did {s} die?'],
        answer: year,
      },
      {
        forms: ['{s} married {a}.', '{s} was the spouse of {a}.'],
        questions: ['Whom did {s} marry?', 'Who was the spouse of {s}?'],
        answer: name(person),
      },
    ],
  },
  {
    name: place,
    relations: [
      {
        forms: ['{s} was founded in {a}.', 'The founding of {s} was in {a}.'],
        questions: ['When was {s} founded?', 'In which year was {s} founded?'],
        answer: year,
      },
      {
        forms: ['{s} lies on the river {a}.', 'Through {s} flows the river {a}.'],
        questions: ['On which river does {s} lie?', 'Which river flows through {s}?'],
        answer: name(random => syllables(random) + given(random)),
      },
      {
        forms: ['{s} is known for its {a}.', 'What most visitors of {s} come for is its {a}.'],
        questions: ['What is {s} known for?', 'What do visitors of {s} come for?'],
        answer: name(
          from('lace', 'salt', 'cheese', 'bells', 'harbour', 'gardens', 'paper mills', 'horse market'),
        ),
      },
      {
        forms: ['The mayor of {s} was {a}.', '{s} was governed by {a}.'],
        questions: ['Who was the mayor of {s}?', 'Who governed {s}?'],
        answer: name(person),
      },
    ],
  },
  {
    name: ship,
    relations: [
      {
        forms: ['In command of {s} was {a}.', 'The captain of {s} was {a}.'],
        questions: ['Who was the captain of {s}?', 'Who was in command of {s}?'],
        answer: name(person),
      },
      {
        forms: ['The crew of {s} counted {a}.', 'On board of {s} were {a}.'],
        questions: ['How many were on board of {s}?', 'How large was the crew of {s}?'],
        answer: name(random => `${11 + random.integer(189)} sailors`),
      },
      {
        forms: ['The home port of {s} was {a}.', 'From {a} came {s}.'],
        questions: ['What was the home port of {s}?', 'Where did {s} come from?'],
        answer: name(place),
      },
      {
        forms: ['The hold of {s} was full of {a}.', 'Men loaded {s} with {a}.'],
        questions: ['What was in the hold of {s}?', 'With what was {s} loaded?'],
        answer: name(from('tea', 'timber', 'whale oil', 'copper', 'wool', 'black pepper', 'wine', 'coal')),
      },
    ],
  },
];
