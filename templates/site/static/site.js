// Adds to a page that is complete without it: how long ago we checked, and the news as soon as there is any.
// It polls one small published file; no connection is held.
(() => {
  "use strict";
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const lang = document.documentElement.lang;
  const NEAR_MS = 10000, JITTER_MS = 5000, FAR_MS = 60000;
  let etag = "", live = null, answeredAt = 0, timer = 0;

  const ago = (seconds) => {
    const unit = seconds < 60 ? "second" : seconds < 3600 ? "minute" : "hour";
    const size = { second: 1, minute: 60, hour: 3600 }[unit];
    return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "long" }).format(Math.floor(seconds / size));
  };

  // The server's age of the check when it answered, plus what has passed here since: a wrong clock on this device does no harm.
  const tell = () => {
    const place = document.querySelector("[data-checked]");
    if (!place || !live || !live.checked_at) return;
    const seconds = Math.max(0, live.age_s + (performance.now() - answeredAt) / 1000);
    place.textContent = place.dataset.ago.replace("{time}", ago(seconds));
  };

  const swap = (fresh) => {
    const newer = fresh.querySelector("main[data-live]");
    if (!newer) return;
    // Nothing new on this very page: what the reader has unfolded or is reading stays untouched.
    if (fresh.documentElement.dataset.version === document.documentElement.dataset.version
      && Boolean(fresh.querySelector(".blind")) === Boolean(document.querySelector(".blind"))) return;
    const unfolded = new Set([...document.querySelectorAll("main details[open][id]")].map((one) => one.id));
    const keptVerdict = document.querySelector("main > .verdict"), newVerdict = newer.querySelector(":scope > .verdict");
    const here = document.querySelector("main[data-live]");
    for (const one of newer.querySelectorAll("details[id]")) one.open = unfolded.has(one.id);
    // The live region itself stays, so that a screen reader speaks its new words; all around it is replaced.
    if (keptVerdict && newVerdict) {
      if (keptVerdict.querySelector("h1").textContent !== newVerdict.querySelector("h1").textContent) keptVerdict.classList.add("fresh");
      keptVerdict.replaceChildren(...newVerdict.childNodes);
      newVerdict.replaceWith(keptVerdict);
    }
    here.replaceChildren(...newer.childNodes);
    document.title = fresh.title;
    document.documentElement.dataset.version = fresh.documentElement.dataset.version || "";
    const icon = document.querySelector("link[rel=icon]"), newIcon = fresh.querySelector("link[rel=icon]");
    if (icon && newIcon) icon.setAttribute("href", newIcon.getAttribute("href"));
    const stamp = document.querySelector(".stamp"), newStamp = fresh.querySelector(".stamp");
    if (stamp && newStamp) stamp.replaceWith(newStamp);
    for (const name of [".blind", ".demo"]) {
      const old = document.querySelector(name), next = fresh.querySelector(name);
      if (old && !next) old.remove();
      if (!old && next) document.querySelector(".mast").after(next);
    }
    tell();
  };

  // First past the browser's cache, which may hold a page of ten seconds ago, then from it: only XMLHttpRequest gives a document
  // that the browser's own loader has parsed, in which no script runs and for which no HTML is built from strings here.
  const reload = async () => {
    await (await fetch(location.pathname, { cache: "no-cache" })).text();
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname);
    request.responseType = "document";
    request.onload = () => { if (request.status === 200 && request.responseXML) swap(request.responseXML); };
    request.send();
  };

  const poll = async () => {
    try {
      const answer = await fetch(main.dataset.live, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        etag = answer.headers.get("ETag") || "";
        live = await answer.json();
        const served = Date.parse(answer.headers.get("Date") || "") || Date.now();
        live.age_s = Math.max(0, (served - Date.parse(live.checked_at)) / 1000) || 0;
        answeredAt = performance.now();
        const blind = Boolean(document.querySelector(".blind"));
        if (live.version !== document.documentElement.dataset.version || blind !== Boolean(live.blind)) await reload();
      }
    } catch { /* the network is away: what is shown says of when it is */ }
    tell();
    clearTimeout(timer);
    timer = setTimeout(poll, (document.hidden ? FAR_MS : NEAR_MS) + Math.random() * JITTER_MS);
  };

  setInterval(tell, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  poll();
})();
