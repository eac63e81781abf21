// Turns on browser notifications. Permission is asked only after a click; without this script the form is not shown.
// It also notes the reader's time zone in the forms, so that a night is theirs; without it the page's zone counts.
(() => {
  "use strict";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  for (const field of document.querySelectorAll("[data-zone]")) field.value = zone;
  const form = document.querySelector("form[data-push]");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return;
  const said = form.querySelector("[data-push-said]");
  const missing = document.querySelector("[data-push-missing]");
  form.hidden = false;
  if (missing) missing.hidden = true;
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("push", { createScriptURL: () => "/sw.js" }) : null;

  // Where a push service cannot be reached (Chrome's, from mainland China) `subscribe` may never answer.
  const PATIENCE_MS = 20000;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));

  const turnOn = async () => {
    if (await Notification.requestPermission() !== "granted") return "denied";
    const key = (await (await fetch("/push/key")).json()).key;
    await navigator.serviceWorker.register(policy ? policy.createScriptURL("") : "/sw.js", { scope: "/" });
    const worker = await navigator.serviceWorker.ready;
    const old = await worker.pushManager.getSubscription();
    if (old) await old.unsubscribe();
    const asked = worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
    const push = await Promise.race([asked, new Promise((give) => setTimeout(give, PATIENCE_MS))]).catch((error) => {
      if (error.name === "NotAllowedError") throw error;
      return null;
    });
    if (!push) {
      asked.then((late) => late.unsubscribe(), () => {});
      return "unreachable";
    }
    const wanted = new FormData(form);
    const answer = await fetch("/api/v2/subscribers.json", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang },
      body: JSON.stringify({ subscriber: { mode: "webpush", push: push.toJSON(), components: wanted.getAll("components"), notice: wanted.get("notice") || "", time_zone: zone } }),
    });
    if (!answer.ok) { await push.unsubscribe(); return "failed"; }
    return (await answer.json()).subscriber;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    said.textContent = said.dataset.wait;
    let outcome = "failed";
    try { outcome = await turnOn(); } catch { outcome = Notification.permission === "denied" ? "denied" : "failed"; }
    button.disabled = false;
    if (typeof outcome === "string") { said.textContent = said.dataset[outcome]; return; }
    said.textContent = said.dataset.done + " ";
    if (outcome.manage_url) {
      const link = document.createElement("a");
      link.href = new URL(outcome.manage_url).pathname + new URL(outcome.manage_url).search;
      link.textContent = said.dataset.manage;
      said.append(link);
    }
  });
})();
