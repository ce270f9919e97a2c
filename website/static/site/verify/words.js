// Checks, verdicts and what stays open in words, by language. The names are those of `lottery verify`; a number in a name (which
// payout, how many items) is left out of its key. English sentences are their own keys, so what has no translation stays English.

/** @param {string} name of a check @returns {string} its key: the same for each item and each payout */
export function keyOf(name) {
  if (name.startsWith("log over ")) return "log";
  if (name.startsWith("payout ")) return "payout";
  if (name.startsWith("tickets of item ")) return "tickets";
  return name;
}

/** The steps of a round, each with the checks that belong to it. @type {[string, string[]][]} */
const STEPS = [
  ["commitment", [
    "chain: place", "chain: lane", "salt", "chain: value before the secret", "commitment", "rules: mode", "rules: sense",
    "pieces of the house", "previous seal of the first round", "log start: rules, pieces, chain and beginning",
  ]],
  ["closed", [
    "tickets: rule", "tickets", "bank", "bank: countable", "players and their chances", "order of bets", "limits of the room",
    "typed numbers", "log", "deadline", "reason of the close", "items at the close", "stock at the close",
    "inviters and rests at the close", "source of entropy", "close hash",
  ]],
  ["secret", ["secret there", "secret opened"]],
  ["beacon", ["proof", "proof: parts", "beacon", "block time", "block height", "block work", "entropy"]],
  ["drawn", ["final", "winning number", "typed numbers used", "eliminations", "winners", "winning ticket"]],
];

/** The step that a check belongs to: commitment, closed, secret, beacon, drawn or paid. @param {string} name */
export const stepOf = (name) => STEPS.find(([, keys]) => keys.includes(keyOf(name)))?.[0] ?? "paid";

export const ALL_STEPS = [...STEPS.map(([step]) => step), "paid"];

/** @type {Record<string, string>} */
const ENGLISH = {
  "chain: place": "The round has its place on the chain of secrets",
  "chain: lane": "The lane",
  salt: "The salt follows from the chain",
  "chain: value before the secret": "The secret is the next one of its chain",
  commitment: "The commitment is that of the secret",
  "rules: mode": "The kind of room",
  "rules: sense": "The rules make sense",
  "pieces of the house": "Prizes and pieces for change",
  "previous seal of the first round": "The first round follows no other",
  "log start: rules, pieces, chain and beginning": "The log begins with the rules and all that was bound before the first bet",
  "tickets: rule": "How many tickets an item brings",
  tickets: "Tickets",
  bank: "Bank, in cents",
  "bank: countable": "The bank can be counted",
  "players and their chances": "Players and their chances",
  "order of bets": "The order of bets",
  "limits of the room": "The limits of the room",
  "typed numbers": "Typed numbers",
  log: "Every bet is in the log",
  deadline: "The clock, in milliseconds",
  "reason of the close": "Why the bets ended",
  "items at the close": "Items at the close",
  "stock at the close": "Pieces for change at the close",
  "inviters and rests at the close": "Inviters and earlier rests",
  "source of entropy": "What decides, named before it was known",
  "close hash": "The hash of the close",
  "secret there": "The secret was opened",
  "secret opened": "When the secret was opened",
  proof: "The proof of the public number",
  "proof: parts": "The parts of the proof",
  beacon: "The signature of the beacon",
  "block time": "The time of the block",
  "block height": "The height of the block",
  "block work": "The work in the block",
  entropy: "The public number",
  final: "Secret and public number together",
  "winning number": "The winning number",
  "typed numbers used": "Typed numbers used",
  eliminations: "Who left",
  winners: "Who won",
  "winning ticket": "The winning ticket",
  rake: "The rake",
  "rake: dues by table": "What is due by the table",
  "rake: due": "What is due together, in cents",
  "rake: carry of earlier rests": "Asked for on top, for earlier rests",
  "rake: rows taken": "Items that the house took",
  "rake: change from the house": "Change that the house gave back",
  "rake: net": "What the house kept, in cents",
  "rake: not above the due": "The house took no more than its due",
  "rake: collected of rests": "Paid of earlier rests",
  "rake: shortfall": "What the house did not get, in cents",
  payout: "What a player gets",
  "payouts: number": "How many players get something",
  "house keeps": "What stays with the house",
  "rows in = rows out": "No item appeared, none vanished",
  "value in = value out": "No cent appeared, none vanished",
  referral: "Credits to inviters",
  "next chain": "The next chain of secrets",
  seal: "The seal over all of it",
  record: "The record",
  "house's failure": "The house did not finish this round",
  good: "Everything that this record can prove holds.",
  lie: "This record lies. Nothing after the lie was checked.",
  failed: "The house did not finish this round. Everything else in the record holds, but it is no record of a fair draw.",
  unchecked: "Nothing is wrong, but the draw itself could not be checked here.",
  unreadable: "This is no record of a round.",
  waiting: "The round is not sealed yet.",
  checking: "This browser is checking the record.",
  away: "The record could not be fetched. Nothing is known about it.",
  large: "This record is too large for a page: check it with the program.",
  holds: "holds",
  "does not hold": "does not hold",
};

/** @type {Record<string, string>} */
const RUSSIAN = {
  "chain: place": "Место раунда в цепочке секретов",
  "chain: lane": "Дорожка",
  salt: "Соль следует из цепочки",
  "chain: value before the secret": "Секрет — следующий в своей цепочке",
  commitment: "Обязательство дано именно этому секрету",
  "rules: mode": "Вид комнаты",
  "rules: sense": "Правила не противоречат себе",
  "pieces of the house": "Призы и предметы для сдачи",
  "previous seal of the first round": "Первому раунду ничто не предшествует",
  "log start: rules, pieces, chain and beginning": "Журнал начинается с правил и всего, что связано до первой ставки",
  "tickets: rule": "Сколько билетов даёт предмет",
  tickets: "Билеты",
  bank: "Банк, в центах",
  "bank: countable": "Банк можно сосчитать",
  "players and their chances": "Игроки и их шансы",
  "order of bets": "Порядок ставок",
  "limits of the room": "Ограничения комнаты",
  "typed numbers": "Введённые числа",
  log: "Каждая ставка есть в журнале",
  deadline: "Часы, в миллисекундах",
  "reason of the close": "Почему приём ставок закончился",
  "items at the close": "Предметы при закрытии",
  "stock at the close": "Предметы для сдачи при закрытии",
  "inviters and rests at the close": "Пригласившие и прежние остатки",
  "source of entropy": "Что решает; названо до того, как стало известно",
  "close hash": "Хеш закрытия",
  "secret there": "Секрет открыт",
  "secret opened": "Когда открыт секрет",
  proof: "Доказательство публичного числа",
  "proof: parts": "Части доказательства",
  beacon: "Подпись маяка",
  "block time": "Время блока",
  "block height": "Высота блока",
  "block work": "Работа в блоке",
  entropy: "Публичное число",
  final: "Секрет и публичное число вместе",
  "winning number": "Выигрышное число",
  "typed numbers used": "Использованные введённые числа",
  eliminations: "Кто выбыл",
  winners: "Кто выиграл",
  "winning ticket": "Выигрышный билет",
  rake: "Комиссия",
  "rake: dues by table": "Что причитается по таблице",
  "rake: due": "Сколько причитается, в центах",
  "rake: carry of earlier rests": "Запрошено сверх того за прежние остатки",
  "rake: rows taken": "Предметы, которые взял дом",
  "rake: change from the house": "Сдача от дома",
  "rake: net": "Сколько осталось у дома, в центах",
  "rake: not above the due": "Дом взял не больше положенного",
  "rake: collected of rests": "Погашено из прежних остатков",
  "rake: shortfall": "Сколько дом недополучил, в центах",
  payout: "Что получает игрок",
  "payouts: number": "Сколько игроков что-то получают",
  "house keeps": "Что остаётся у дома",
  "rows in = rows out": "Ни один предмет не появился и не исчез",
  "value in = value out": "Ни один цент не появился и не исчез",
  referral: "Начисления пригласившим",
  "next chain": "Следующая цепочка секретов",
  seal: "Печать на всём",
  record: "Запись",
  "house's failure": "Дом не завершил этот раунд",
  good: "Всё, что эта запись может доказать, верно.",
  lie: "Эта запись лжёт. После лжи ничего не проверялось.",
  failed: "Дом не завершил этот раунд. Остальное в записи верно, но это не запись честного розыгрыша.",
  unchecked: "Ничего неверного нет, но сам розыгрыш здесь проверить нельзя.",
  unreadable: "Это не запись раунда.",
  waiting: "Раунд ещё не запечатан.",
  checking: "Браузер проверяет запись.",
  away: "Запись не удалось получить. О ней ничего не известно.",
  large: "Запись слишком велика для страницы: проверьте её программой.",
  holds: "верно",
  "does not hold": "неверно",
  none: "нет",
  yes: "да",
  no: "нет",
  kept: "соблюдены",
  "as promised": "как обещано",
  "one per cent": "по одному за цент",
  "one per item": "по одному за предмет",
  "as many as were bought": "сколько куплено",
  "by table": "по таблице",
  "none in this room": "в этой комнате нет",
  "none in this round": "в этом раунде нет",
  "none is due": "не требуется",
  "none, nothing is drawn": "нет, розыгрыша нет",
  "none, the round was not drawn": "нет, раунд не разыгран",
  "the typed numbers": "введённые числа",
  "never, the house has lost it": "никогда, дом его потерял",
  "follows the round before": "следует за предыдущим раундом",
  anchor: "опубликованное начало цепочки",
  "receipt of a bet": "квитанция о ставке",
  "that the close was public before its beacon: ask a witness who stored it":
    "что закрытие было опубликовано до маяка: спросите свидетеля, который его сохранил",
  "that the items exist, are held for the players, and were worth their prices":
    "что предметы существуют, хранятся для игроков и стоили своих цен",
  "who stands behind a user: the house may bet too, and may refuse bets before the close":
    "кто стоит за игроком: дом тоже может ставить и может отказывать в ставках до закрытия",
  "that the chain hangs on the anchor that was published": "что цепочка начинается с опубликованного значения",
  "that the seal of the round before is the one that was published": "что печать предыдущего раунда — та, что была опубликована",
  "that no bet was left out: whoever bet has a receipt": "что ни одна ставка не пропущена: у каждого игрока есть квитанция",
  "that the house did not use the number: without a beacon it knows it from the start":
    "что дом не воспользовался числом: без маяка он знает его с самого начала",
  "that the typed numbers are those of the recording: watch it": "что введены числа из записи: посмотрите её",
  "that the round had to be void, and was before its end: that is the operator's word":
    "что раунд пришлось отменить, и до его конца: это слово оператора",
  "who invited whom, but that it was said before the draw": "кто кого пригласил; доказано лишь, что это названо до розыгрыша",
  "that the house did not know the result when it opened the secret: it opened after the beacon":
    "что дом не знал результата, когда открыл секрет: он открыл его после маяка",
  "the numbers were typed by hand: watch the recording, its address stands in the record":
    "числа введены вручную: посмотрите запись, её адрес указан",
};

/** Sentences with numbers in them. @type {[RegExp, string][]} */
const RUSSIAN_FORMS = [
  [/^up to (round )?(\d+)$/, "до раунда $2"],
  [/^(\d+) guarantees, (\d+) for change$/, "призов: $1, для сдачи: $2"],
  [/^(\d+) players$/, "игроков: $1"],
  [/^(\d+) bets, (\d+) items$/, "ставок: $1, предметов: $2"],
  [/^(\d+) numbers$/, "чисел: $1"],
  [/^(\d+) numbers for \d+ draws$/, "чисел: $1, по одному на розыгрыш"],
  [/^(\d+) players with inviters, (\d+) rests$/, "приглашённых: $1, остатков: $2"],
  [/^(\S+), round (\d+)$/, "$1, раунд $2"],
  [/^(-?\d+) ms after the close$/, "через $1 мс после закрытия"],
  [/^(.+) round (\d+), signature verified here$/, "$1, раунд $2, подпись проверена здесь"],
  [/^(\d+) rows$/, "предметов: $1"],
  [/^(\d+) rows worth (\d+)$/, "предметов: $1, на сумму $2"],
  [/^(\d+) of (\d+)$/, "$1 из $2"],
  [/^(\d+) = (\d+) to players \+ (-?\d+) to the house$/, "$1 = $2 игрокам + $3 дому"],
  [/^(\d+) cents to inviters$/, "центов пригласившим: $1"],
  [/^that user (\d+) owed (\d+) from round (\d+) of (.+)$/, "что игрок $1 был должен $2 из раунда $3 дорожки $4"],
  [
    /^drand chain ([0-9a-f]+) is not known here: .*$/,
    "цепочка drand $1 здесь неизвестна: скажите, что доверяете ей, если знаете, кто её ведёт",
  ],
  [
    /^whether block ([0-9a-f]+) is the one of height (\d+), and the first one later than (\d+): look it up$/,
    "что блок $1 — именно блок высоты $2 и первый после $3: найдите его сами",
  ],
];

/** @param {string} language such as "en" or "ru-RU" */
const isRussian = (language) => language.slice(0, 2) === "ru";

/** @param {string} key @param {string} language */
export function words(key, language) {
  return (isRussian(language) ? RUSSIAN[key] : undefined) ?? ENGLISH[key] ?? key;
}

/** A check's name in words. @param {string} name @param {string} language */
export const nameInWords = (name, language) => words(keyOf(name), language);

/** What a check found, or what stays open, in words. What nobody has translated stays English. @param {string} said @param {string} language */
export function saidInWords(said, language) {
  if (!isRussian(language)) return said;
  if (Object.hasOwn(RUSSIAN, said)) return RUSSIAN[said];
  const form = RUSSIAN_FORMS.find(([pattern]) => pattern.test(said));
  if (form) return said.replace(form[0], form[1]);
  return said
    .replace(/(\d+) with ticket (\d+)/g, "$1 с билетом $2")
    .replace(/^(\d+) rows, claim (\d+)/, "предметов: $1, доля $2")
    .replace(/, credit (\d+)/, ", зачислено $1")
    .replace(/, (\d+) of guarantees/, ", призов: $1")
    .replace(/, (\d+) of change/, ", сдачи: $1");
}
