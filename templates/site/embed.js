// Shows what is open on this status page as a banner on another site. No cookies, nothing stored, no HTML from strings, and only
// CSSOM for looks: a page with a strict Content-Security-Policy needs script-src and connect-src for this host and nothing else.
// <script src="https://status.wallet.example/embed.js" async data-lang="en" data-target="#status"></script>
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag) return;
  const home = new URL(tag.src), given = tag.dataset;
  const lang = given.lang || document.documentElement.lang || navigator.language || "";
  const zh = /^zh/i.test(lang);
  const ask = new URL("/app/notices.json", home);
  ask.searchParams.set("lang", lang.slice(0, 40));
  for (const name of ["version", "platform", "chain", "component"]) if (given[name]) ask.searchParams.set(name, given[name]);
  const COLORS = { critical: "#b3261e", major: "#a8480b", minor: "#8a5a00", maintenance: "#2456b8", none: "#3c4043" };
  const gone = new Set();
  let box = null, seen = null;

  const make = (name, style, text) => {
    const one = document.createElement(name);
    Object.assign(one.style, style);
    if (text) one.textContent = text;
    return one;
  };

  const line = (notice) => {
    const row = make("div", { background: COLORS[notice.severity] || COLORS.none, color: "#fff", padding: ".6em 1em", display: "flex",
      gap: "1em", alignItems: "baseline", font: "1rem/1.4 system-ui, sans-serif" });
    row.setAttribute("role", notice.show === "modal" ? "alert" : "status");
    const unsure = notice.suspected ? (zh ? "(未确认)" : "(not confirmed) ") : "";
    const link = make("a", { color: "#fff", flex: "1", textDecoration: "underline" }, unsure + notice.title);
    // An address that is not the page's own is not followed: the answer came over the network.
    const to = new URL(notice.url, home);
    link.href = /^https?:$/.test(to.protocol) ? to.href : home.origin;
    link.target = "_blank";
    link.rel = "noopener";
    link.lang = seen.language;
    row.append(link, make("small", { whiteSpace: "nowrap" }, notice.number));
    const close = make("button", { background: "none", border: "0", color: "#fff", font: "inherit", cursor: "pointer", padding: "0 .3em" }, "×");
    close.type = "button";
    close.setAttribute("aria-label", zh ? "关闭" : "Dismiss");
    close.onclick = () => { gone.add(notice.number + notice.updated_at); show(); };
    row.append(close);
    return row;
  };

  const show = () => {
    const open = seen.notices.filter((one) => !gone.has(one.number + one.updated_at));
    if (!box) {
      const place = given.target && document.querySelector(given.target);
      box = make("div", {});
      if (place) place.append(box);
      else (document.body || document.documentElement).prepend(box);
    }
    box.replaceChildren(...open.map(line));
  };

  const poll = async () => {
    if (!document.hidden) {
      try {
        // The browser asks with If-None-Match by itself; a header of ours would cost a second request each time.
        const answer = await fetch(ask, { credentials: "omit", cache: "no-cache" });
        if (answer.ok) {
          seen = await answer.json();
          show();
        }
      } catch { /* the status page cannot be reached: the site it stands on is not to suffer */ }
    }
    setTimeout(poll, 60000 + Math.random() * 15000);
  };
  if (document.body) poll();
  else document.addEventListener("DOMContentLoaded", poll);
})();
