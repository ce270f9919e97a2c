"use strict";
// Asks for the same page again while somebody looks at it, and shows what has changed. Without scripts nothing is missing but this.
setInterval(async () => {
  const shown = document.querySelector("main[data-page]");
  if (document.hidden || !shown) return;
  const answer = await fetch(shown.dataset.page, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (!fresh) return;
  const seen = [shown, fresh].map((page) => page.querySelector("[data-seen]"));
  if (fresh.dataset.state !== shown.dataset.state) shown.replaceWith(fresh);
  else if (seen[0] && seen[1]) seen[0].textContent = seen[1].textContent;
}, 10000);
