// Adds to "is it us or you?": a test of two hosts from the reader's own device, and a button that copies the text for support.
(() => {
  "use strict";
  const PATIENCE_MS = 8000;

  // How long a host took to answer at all, in ms; null when it did not. What it says is not read (and may not be, elsewhere).
  const asked = async (url) => {
    const began = performance.now();
    const signal = AbortSignal.timeout ? AbortSignal.timeout(PATIENCE_MS) : undefined;
    try {
      await fetch(url, { mode: "no-cors", cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", signal });
      return Math.max(1, Math.round(performance.now() - began));
    } catch { return null; }
  };

  const test = async (place, button) => {
    const said = place.querySelector("[data-said]");
    button.disabled = true;
    said.textContent = said.dataset.wait;
    const [own, other] = await Promise.all([asked("/live.json"), asked(place.dataset.probe)]);
    const found = own !== null ? (other !== null ? "both" : "own") : (other !== null ? "other" : "none");
    said.textContent = said.dataset[found].replace("{own}", own).replace("{other}", other);
    button.disabled = false;
  };

  // What is refreshed by site.js is new markup: it is made usable again.
  const ready = () => {
    for (const place of document.querySelectorAll("[data-probe][hidden]")) place.hidden = false;
    if (navigator.clipboard) for (const place of document.querySelectorAll("[data-copy][hidden]")) place.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    const probe = button && button.closest("[data-probe]");
    if (probe) test(probe, button);
    if (button && button.closest("[data-copy]")) {
      await navigator.clipboard.writeText(document.querySelector("[data-sheet]").textContent);
      button.textContent = button.dataset.done;
    }
  });

  // A link to what lies in a folded part unfolds it.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (folded) folded.open = true;
  };

  addEventListener("hashchange", unfold);
  new MutationObserver(ready).observe(document.querySelector("main"), { childList: true });
  ready();
  unfold();
})();
