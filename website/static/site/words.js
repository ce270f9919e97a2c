// What scripts say, in both languages of the site. A test holds the two to the same names.

const en = {
  lost: "Connection lost. Your bet is safe; reconnecting…",
  back: "Connected again.",
  second: "A second player came; the clock runs.",
  left: "{n} seconds left.",
  closed: "Closed. No bet is taken any more.",
  drawn: "Ticket {ticket} of {all} was drawn.",
  winner: "The winner: {name}.",
  you_won: "The winner: you.",
  paid: "Paid out and sealed.",
  void: "Void: everybody gets back what they bet.",
  bet_taken: "Your bet is taken.",
  bet_waits: "Your bet is on its way; its page says what becomes of it.",
  bet_refused: "Your bet was refused.",
  no_answer: "The site did not answer. Send it again: the same form is the same bet.",
  next_open: "The next round takes bets →",
  you: "you",
  log: "log",
  tickets: "tickets",
  closes_in: "Closes in",
  ends_in: "Ends in",
  nobody: "open, nobody has bet yet",
  open: "open",
  wait_one: "waiting for one more player",
  sound: "Sound",
  receipt_good: "Your bet {bet} stands in the record exactly as your receipt says.",
  receipt_lie: "Your bet {bet} does not stand in the record as your receipt says: {why}. Download the receipt and keep it.",
  bet: "Bet {cents}",
  bet_chosen: "Bet what is ticked",
  chosen: "{n} chosen · {cents}",
  in_items: "in items",
};

/** @type {typeof en} */
const ru = {
  lost: "Связь потеряна. Ваша ставка в сохранности; подключаемся снова…",
  back: "Связь восстановлена.",
  second: "Пришёл второй игрок; время пошло.",
  left: "Осталось секунд: {n}.",
  closed: "Закрыто. Ставки больше не принимаются.",
  drawn: "Выпал билет {ticket} из {all}.",
  winner: "Победитель: {name}.",
  you_won: "Победитель: вы.",
  paid: "Выплачено и запечатано.",
  void: "Раунд отменён: каждый получает назад свою ставку.",
  bet_taken: "Ваша ставка принята.",
  bet_waits: "Ваша ставка в пути; что с ней стало, скажет её страница.",
  bet_refused: "Ваша ставка не принята.",
  no_answer: "Сайт не ответил. Отправьте ещё раз: та же форма — та же ставка.",
  next_open: "Следующий раунд принимает ставки →",
  you: "вы",
  log: "журнал",
  tickets: "билетов",
  closes_in: "Закроется через",
  ends_in: "Закончится через",
  nobody: "открыт, ставок ещё нет",
  open: "открыт",
  wait_one: "ждём ещё одного игрока",
  sound: "Звук",
  receipt_good: "Ваша ставка {bet} стоит в записи в точности так, как в вашей квитанции.",
  receipt_lie: "Ваша ставка {bet} стоит в записи не так, как в вашей квитанции: {why}. Скачайте квитанцию и сохраните её.",
  bet: "Поставить {cents}",
  bet_chosen: "Поставить отмеченное",
  chosen: "выбрано: {n} · {cents}",
  in_items: "предметами",
};

export const all = { en, ru };
export const language = globalThis.document?.documentElement.lang === "ru" ? "ru" : "en";

/** A sentence of the page's language. @param {keyof typeof en} name @param {Record<string, string|number>} [values] */
export function words(name, values = {}) {
  return all[language][name].replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}
