// Looks a number up in the published files, so that verifying works while the application does not. Files and whole answers are the
// application's: without an answer from it, nothing is claimed.
(() => {
  "use strict";
  const form = document.querySelector("form[data-verify]");
  const place = document.querySelector("[data-answer]");
  if (!form || !place) return;
  const words = form.dataset;
  const numberIn = (text) => {
    const plain = text.normalize("NFKC").toUpperCase();
    const found = /(?:^|[^A-Z0-9])N\s?[-\u2010-\u2015\u2212_]\s?([2-9A-HJKMNP-Z]{4})(?![A-Z0-9])/.exec(plain) || /^\s*N?([2-9A-HJKMNP-Z]{4})\s*$/.exec(plain);
    return found ? "N-" + found[1] : "";
  };
  const tell = (...parts) => {
    place.replaceChildren(...parts);
    place.hidden = false;
  };
  const line = (name, text, tone) => {
    const one = document.createElement(name);
    one.textContent = text;
    if (tone) one.className = tone;
    return one;
  };
  const lookUp = async (number) => {
    let answer;
    try { answer = await fetch("/n/" + number + ".json", { cache: "no-cache" }); } catch { return tell(line("h2", words.cannot, "degraded")); }
    let found = null;
    try { found = await answer.json(); } catch { /* another server's error page proves nothing */ }
    // "Never" is a word of the application's alone: a file that is missing on a mirror is no proof.
    if (answer.status === 404 && found && found.status === 404) return tell(line("h2", words.never, "major"));
    if (!answer.ok || !found || found.number !== number) return tell(line("h2", words.cannot, "degraded"));
    const lang = document.documentElement.lang;
    const title = document.createElement("h3"), link = document.createElement("a");
    link.textContent = found.titles[lang] || Object.values(found.titles)[0] || number;
    link.href = "/" + lang + "/incidents/" + encodeURIComponent(found.id);
    title.append(link);
    const when = new Intl.DateTimeFormat(lang, { dateStyle: "long", timeStyle: "short" }).format(new Date(found.published_at));
    return tell(line("h2", words.yes, "ok"), title, line("p", words.when + ": " + when), line("p", words.compare));
  };
  const asked = /^\/(?:[A-Za-z-]+\/)?n\/(.+)$/.exec(location.pathname);
  if (asked) lookUp(numberIn(decodeURIComponent(asked[1])) || "N-0000");
  form.addEventListener("submit", (event) => {
    const text = form.elements.said.value;
    // Messages and files are judged by the application, which also looks at their links; only a bare number is looked up here.
    if (form.elements.file.files.length || text.trim().length > 12) return;
    event.preventDefault();
    const number = numberIn(text);
    if (number) lookUp(number);
    else tell(line("h2", words.none, "degraded"));
  });
})();
