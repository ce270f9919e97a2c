// What scripts add to pages of items: the sum of what is chosen, and a page that is under way looks again without jumping.
// Without scripts the same pages reload themselves, and sums come with the next page.

const sumOf = (form) => {
  const chosen = [...form.querySelectorAll("input[name=ids][data-cents]:checked")];
  const piles = [...form.querySelectorAll("input[name=ids_many]")].filter((input) => input.validity.valid);
  const worth = (input) => Number(input.dataset.cents || 0);
  return chosen.reduce((sum, input) => sum + worth(input), 0) + piles.reduce((sum, input) => sum + worth(input) * Number(input.value), 0);
};

for (const form of document.querySelectorAll("form")) {
  const shown = form.querySelector("[data-sum]");
  if (!shown) continue;
  const format = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const show = () => { shown.textContent = format.format(sumOf(form) / 100); };
  form.addEventListener("change", show);
  form.addEventListener("input", show);
  show();
}

const look = async () => {
  const old = document.querySelector("[data-refresh]");
  if (!old) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.redirected) { location.replace(answer.url); return; }
    const fresh = page.querySelector("main");
    const main = document.querySelector("main");
    const held = main.contains(document.activeElement) && document.activeElement !== main;
    if (fresh && !held && fresh.innerHTML !== main.innerHTML) {
      main.replaceChildren(...document.adoptNode(fresh).childNodes);
      document.title = page.title;
      const worth = document.querySelector("header .value"), now = page.querySelector("header .value");
      if (worth && now) worth.replaceWith(document.adoptNode(now));
    }
  } catch { /* the next look may find it */ }
  again();
};

const again = () => {
  const seconds = Number(document.querySelector("[data-refresh]")?.dataset.refresh);
  if (seconds > 0) setTimeout(document.hidden ? again : look, seconds * 1000);
};
again();
