// Shows what is pushed and opens the notice on a click. It intercepts no requests.
"use strict";

self.addEventListener("push", (event) => {
  let shown = {};
  try { shown = event.data ? event.data.json() : {}; } catch { shown = {}; }
  // Every push must show something, or browsers take the permission away.
  event.waitUntil(self.registration.showNotification(shown.title || "Status", {
    body: shown.body || "", tag: shown.tag || "status", renotify: Boolean(shown.tag), lang: shown.lang || "", data: { path: shown.path || "/" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const target = new URL(event.notification.data.path, self.location.origin);
  // Only our own pages: a payload never opens another site.
  const url = target.origin === self.location.origin ? target.href : `${self.location.origin}/`;
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const same = open.find((one) => one.url === url);
    return same ? same.focus() : self.clients.openWindow(url);
  })());
});
