// Adds to a page that is complete without it: how long ago we checked, and the news as soon as there is any.
// It polls one small published file; no connection is held.
(() => {
  "use strict";
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const lang = document.documentElement.lang;
  const NEAR_MS = 10000, JITTER_MS = 5000, FAR_MS = 60000, SOON_MS = 5000, PATIENCE_MS = 8000, BLIND_S = 90;
  let etag = "", live = null, answeredAt = 0, timer = 0, twin = null, triedFor = "", polls = 0;

  const ago = (seconds) => {
    const unit = seconds < 60 ? "second" : seconds < 3600 ? "minute" : "hour";
    const size = { second: 1, minute: 60, hour: 3600 }[unit];
    return new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "long" }).format(Math.floor(seconds / size));
  };

  const isBlind = () => Boolean(document.querySelector(".blind"));
  const version = () => document.documentElement.dataset.version || "";

  // The server's age of the check when it answered, plus what has passed here since: a wrong clock on this device does no harm.
  // Before the first answer only this device's clock can tell, which makes at worst a page doubtful that nobody answers for.
  const age = () => {
    if (live) return Math.max(0, live.age_s + (performance.now() - answeredAt) / 1000);
    const shown = document.querySelector("[data-checked]");
    return Math.max(performance.now(), shown ? Date.now() - Date.parse(shown.dataset.checked) : 0) / 1000;
  };

  const tell = () => {
    const place = document.querySelector("[data-checked]");
    if (place && live && live.checked_at) place.textContent = place.dataset.ago.replace("{time}", ago(age()));
  };

  const swap = (fresh) => {
    const newer = fresh.querySelector("main[data-live]");
    if (!newer) return;
    // Nothing new on this very page: what the reader has unfolded or is reading stays untouched.
    if ((fresh.documentElement.dataset.version || "") === version() && Boolean(fresh.querySelector(".blind")) === isBlind()) return;
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

  // Only XMLHttpRequest gives a document that the browser's own loader has parsed, in which no script runs and for which no HTML
  // is built from strings here. Null when there is none.
  const documentAt = (path) => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("GET", path);
    request.responseType = "document";
    request.timeout = PATIENCE_MS;
    request.onloadend = () => done(request.status === 200 ? request.responseXML : null);
    request.send();
  });

  const ask = (path, options) => {
    const signal = AbortSignal.timeout ? AbortSignal.timeout(PATIENCE_MS) : undefined;
    return fetch(path, { ...options, signal });
  };

  // First past the browser's cache, which may hold a page of ten seconds ago, then from it.
  const reload = async () => {
    await (await ask(location.pathname, { cache: "no-cache" })).text();
    const fresh = await documentAt(location.pathname);
    if (fresh) swap(fresh);
  };

  // What this page says once nobody can see, fetched while somebody can: a dead server gives nothing away.
  const keepTwin = async () => {
    if (triedFor === version() || isBlind()) return;
    triedFor = version();
    const path = location.pathname.startsWith(`/${lang}/`) ? location.pathname : `/${lang}${location.pathname}`;
    const found = await documentAt(path.endsWith("/") ? `${path}index.blind` : `${path}.blind`);
    twin = found && found.querySelector(".blind") ? found : null;
  };

  // Without the twin (it was never asked for, or is of older facts): nothing that works keeps its colour, its shape or its word.
  const dim = () => {
    const [cannot] = main.dataset.blind.split("|"), band = document.createElement("div"), line = document.createElement("p");
    band.className = "blind";
    band.setAttribute("role", "alert");
    line.className = "wrap";
    line.append(document.createElement("span"));
    line.firstChild.append(document.createElement("b"));
    line.querySelector("b").textContent = `${cannot} ·`;
    band.append(line);
    document.querySelector(".mast").after(band);
    const verdict = main.querySelector(".verdict h1");
    if (verdict && verdict.querySelector(".ok")) verdict.querySelector("span").textContent = cannot;
    for (const rest of main.querySelectorAll(".verdict .rest")) rest.remove();
    for (const use of main.querySelectorAll('use[href="#ok"]')) {
      const said = use.closest(".state, td, .answer-now, .title");
      use.setAttribute("href", "#unknown");
      if (said) (said.querySelector(".lead, .vh, h1 + p") || said.lastChild).textContent = said.matches(".state, td") ? "?" : cannot;
    }
    for (const one of main.querySelectorAll(".ok")) one.classList.replace("ok", "unknown");
    const icon = document.querySelector("link[rel=icon]");
    if (icon && icon.getAttribute("href").includes("/icon-ok")) {
      icon.setAttribute("href", main.dataset.icon);
      const parts = document.title.split(" · ");  // what it is about, its state, the page's name
      document.title = [...parts.slice(0, -2), cannot, parts.pop()].join(" · ");
    }
  };

  const turnBlind = () => {
    if (!isBlind()) {
      if (twin && (twin.documentElement.dataset.version || "") === version()) swap(twin);
      else dim();
      twin = null;
      triedFor = "";
    }
    // The last check that we heard of may be later than the one the twin was made at.
    const first = document.querySelector(".blind b"), shown = document.querySelector("[data-checked]");
    const at = (live && live.checked_at) || (shown && shown.dataset.checked);
    const [, since, changed] = main.dataset.blind.split("|");
    const format = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
      timeZoneName: "short" };
    const when = at ? ` ${since.replace("{time}", new Date(at).toLocaleString(lang === "en" ? "en-GB" : lang, format))}` : "";
    first.parentNode.replaceChildren(first, `${when} ${changed}`);
  };

  const poll = async () => {
    let heard = false;
    try {
      const answer = await ask(main.dataset.live, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      heard = answer.status === 200 || answer.status === 304;
      if (answer.status === 200) [live, etag] = [await answer.json(), answer.headers.get("ETag") || ""];
      if (heard) {
        const served = Date.parse(answer.headers.get("Date") || "") || Date.now();
        live.age_s = Math.max(0, (served - Date.parse(live.checked_at)) / 1000) || 0;
        answeredAt = performance.now();
      }
      const sees = heard && !live.blind && age() <= BLIND_S;
      if (heard && (live.version !== version() || (isBlind() && sees) || (live.blind && !isBlind()))) await reload();
      if (sees && polls++) await keepTwin();
    } catch { /* nobody answers: what is shown stays until it is too old to be believed */ }
    if ((live && live.blind) || age() > BLIND_S) turnBlind();
    tell();
    clearTimeout(timer);
    timer = setTimeout(poll, !heard ? SOON_MS : (document.hidden ? FAR_MS : NEAR_MS) + Math.random() * JITTER_MS);
  };

  new Image().src = main.dataset.icon;  // kept by the browser for the day nobody answers
  setInterval(tell, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  poll();
})();
