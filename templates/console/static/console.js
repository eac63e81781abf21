// Adds to what works without it: a preview that keeps fresh while somebody types, and a first screen that renews itself.
"use strict";

function fillPreview(pane, form, answer) {
  for (const one of answer.texts || []) {
    const box = pane.querySelector(`[data-sms="${one.language}"]`);
    if (!box) continue;
    box.querySelector("[data-body]").textContent = one.text;
    box.querySelector("[data-count]").textContent = `${one.units} / ${one.limit} · ${one.segments}×`;
    const meter = box.querySelector("[data-meter]");
    meter.max = one.limit;
    meter.value = one.units;
  }
  for (const one of answer.pushes || []) {
    const line = pane.querySelector(`[data-push="${one.language}"]`);
    if (!line) continue;
    line.querySelector("b").textContent = one.title;
    line.querySelector("span").textContent = one.body;
  }
  const reach = form.querySelector("[data-reach]");
  if (reach && answer.reach) reach.textContent = answer.reach;
  const lint = pane.querySelector("[data-findings]");
  const remarks = answer.error ? [{ quote: "", text: answer.error }] : answer.findings || [];
  lint.hidden = remarks.length === 0;
  const list = lint.querySelector("ul");
  list.replaceChildren(...remarks.map((remark) => {
    const item = document.createElement("li");
    const words = document.createElement("span");
    if (remark.quote) {
      const quote = document.createElement("q");
      quote.textContent = remark.quote;
      words.append(quote, " ");
    }
    words.append(remark.text);
    item.append(words);
    return item;
  }));
}

function keepPreviewFresh(form) {
  const pane = form.querySelector("[data-preview]");
  let timer = 0;
  let latest = 0;
  const ask = async () => {
    const turn = ++latest;
    try {
      const response = await fetch(form.dataset.live, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
      if (!response.ok || turn !== latest) return;
      fillPreview(pane, form, await response.json());
    } catch {
      // No connection: the button "Preview" still says so visibly.
    }
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 600);
  };
  form.addEventListener("input", later);
  form.addEventListener("change", later);
  ask();
  // One press, one notice: the server knows the form by its key, and a disabled button tells the thumb so.
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    latest += 1;
    const button = event.submitter;
    setTimeout(() => { for (const one of form.querySelectorAll(".bar button")) one.disabled = true; if (button) button.setAttribute("aria-busy", "true"); }, 0);
  });
  addEventListener("pageshow", () => { for (const one of form.querySelectorAll(".bar button")) one.disabled = false; });
}

function renewWhileIdle(main) {
  const seconds = Number(main.dataset.reload);
  setInterval(() => {
    if (document.visibilityState === "visible" && !main.contains(document.activeElement)) location.replace(location.pathname);
  }, seconds * 1000);
}

for (const form of document.querySelectorAll("[data-live]")) keepPreviewFresh(form);
for (const main of document.querySelectorAll("[data-reload]")) renewWhileIdle(main);
