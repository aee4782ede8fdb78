// Replaces each element that carries data-live="URL" with what that URL answers, about once a
// second, until the answer carries no such mark any more. Without this script the page says how
// things stood when it was loaded, and reloading it says how they stand now.
"use strict";

const pause = 1000, patience = 15000;

async function refresh(element, wait) {
  await new Promise((resolve) => setTimeout(resolve, wait));
  if (document.hidden) return refresh(element, pause);
  let fresh;
  try {
    const answer = await fetch(element.dataset.live, { headers: { Accept: "text/html" } });
    if (answer.status >= 400 && answer.status < 500) return;
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    fresh = page.body.firstElementChild;
  } catch {
    return refresh(element, Math.min(wait * 2, patience));
  }
  if (!fresh) return;
  element.replaceWith(fresh);
  if (fresh.dataset.live) return refresh(fresh, pause);
}

for (const element of document.querySelectorAll("[data-live]")) refresh(element, pause);
