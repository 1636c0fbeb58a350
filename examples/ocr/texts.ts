import type { Random } from 'whittle-nn/random';

const NAMES = [
  'Anna Berg',
  'J. Whitfield',
  'Omar Haddad',
  'Li Wei',
  'Rosa Quintero',
  "P. O'Brien",
  'K. Sato',
];
const GOODS = [
  'Oat milk 1L',
  'Rye bread',
  'AA batteries x4',
  'Olive oil 500ml',
  'Green tea',
  'Basil',
  'Dish soap',
  'Envelopes (C5)',
];
const STREETS = ['Harbour Rd', 'Mill Lane', 'Elm Street', 'Quai du Port', 'Station Square', 'Ridge Avenue'];
const SUBJECTS = [
  'The committee',
  'A quiet river',
  'Every second train',
  'Our engineer',
  'The old lighthouse',
  'Nobody here',
  'His younger sister',
  'This small model',
];
const VERBS = ['follows', 'keeps', 'measures', 'forgot', 'will replace', 'crosses', 'described', 'needs'];
const OBJECTS = [
  'the narrow bridge',
  'six broken clocks',
  'a jar of nails',
  'what was agreed',
  'its own shadow',
  'the upper valley',
  'a better question',
  'half of the budget',
];
const TAILS = [
  'before noon',
  'in silence',
  'without delay',
  'since March',
  'again',
  'on Fridays',
  'at low tide',
];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const ZH_PLACES = ['北京', '上海', '广州', '成都', '杭州', '西安', '青岛', '昆明', '厦门', '哈尔滨'];
const ZH_THINGS = ['图书馆', '火车站', '中心医院', '科技园', '人民公园', '美术馆', '第三中学', '海鲜市场'];
const ZH_SUBJECTS = ['老师', '这条小河', '我的朋友', '清晨的街道', '新来的同事', '远处的灯塔'];
const ZH_PREDICATES = [
  '正在准备考试',
  '穿过整个城市',
  '喜欢安静的下午',
  '已经修好了机器',
  '带来一封旧信',
  '需要更多时间',
];
const ZH_NOTICES = [
  '请保持安静',
  '小心台阶',
  '禁止停车',
  '出口在左侧',
  '谢谢您的光临',
  '今日特价',
  '非工作人员请勿入内',
];

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

/** One of the items. */
export const pick = <T>(random: Random, items: readonly T[]): T => items[random.integer(items.length)]!;

function digits(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.integer(10)).join('');
}

function letters(random: Random, count: number): string {
  return Array.from({ length: count }, () => pick(random, [...ALPHABET])).join('');
}

const price = (random: Random): string => `${random.integer(180) + 1}.${digits(random, 2)}`;

const LATIN: readonly ((random: Random) => string)[] = [
  r => `${pick(r, SUBJECTS)} ${pick(r, VERBS)} ${pick(r, OBJECTS)}`,
  r => `${pick(r, SUBJECTS)} ${pick(r, VERBS)} ${pick(r, OBJECTS)} ${pick(r, TAILS)}.`,
  r => `${pick(r, OBJECTS)}, ${pick(r, TAILS)}`,
  r => `${pick(r, GOODS)}  $${price(r)}`.replace('  ', ' '),
  r => `TOTAL EUR ${price(r)}`,
  r => `Invoice No. ${letters(r, 2)}-${digits(r, 5)}/${digits(r, 2)}`,
  r =>
    `${r.integer(28) + 1} ${pick(r, MONTHS)} 20${r.integer(20) + 10}, ${r.integer(12) + 8}:${r.integer(50) + 10}`,
  r => `${r.integer(190) + 1} ${pick(r, STREETS)}, ${digits(r, 5)}`,
  r => `Tel. +${r.integer(80) + 10} ${digits(r, 3)} ${digits(r, 4)}`,
  r => `S/N ${letters(r, 3)}${digits(r, 2)}-${digits(r, 4)}${letters(r, 1)}`,
  r => `${pick(r, NAMES)} (${pick(r, ['chair', 'guest', 'editor', 'absent'])})`,
  r =>
    `${pick(r, ['Growth', 'Loss', 'Yield', 'Error'])}: ${r.integer(99)}.${digits(r, 1)}% vs ${r.integer(99)}.${digits(r, 1)}%`,
];

const CHINESE: readonly ((random: Random) => string)[] = [
  r => `${pick(r, ZH_PLACES)}${pick(r, ZH_THINGS)}`,
  r => `${pick(r, ZH_SUBJECTS)}${pick(r, ZH_PREDICATES)}`,
  r => `${pick(r, ZH_NOTICES)}`,
  r => `${pick(r, ZH_PLACES)}市${pick(r, ZH_THINGS)}${r.integer(90) + 1}号`,
  r => `20${r.integer(20) + 10}年${r.integer(12) + 1}月${r.integer(28) + 1}日`,
  r => `${pick(r, ZH_THINGS)}：${pick(r, ZH_NOTICES)}`,
];

export interface Text {
  text: string;
  script: 'latin' | 'chinese';
}

/** Made-up lines of the kinds that people photograph: sentences, receipts, dates, codes; three in ten are Chinese. */
export function makeText(random: Random): Text {
  const script = random.uniform() < 0.3 ? 'chinese' : 'latin';
  return { text: pick(random, script === 'chinese' ? CHINESE : LATIN)(random), script };
}
