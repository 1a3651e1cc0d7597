// The page of a run: a notification of the browser when the run has ended and nobody sees the page.
// The page works without it: the portal's own notice is stored on the server.
(() => {
  "use strict";
  // the permission is requested only when the person presses "Tell me when it is done"
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-notifies]") || !("Notification" in window)) return;
    if (Notification.permission === "default") Notification.requestPermission().catch(() => {});
  });

  // #live has data-ended with the words of the notification if the run has ended, data-told if the person wants it
  const ended = () => document.getElementById("live")?.dataset.ended;
  let known = ended();
  document.addEventListener("htmx:afterSettle", () => {
    const live = document.getElementById("live");
    if (!live || live.dataset.ended === known) return;
    known = live.dataset.ended;
    if (!known || !("told" in live.dataset) || !document.hidden) return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    try {
      const shown = new Notification(known, { tag: live.dataset.run });
      shown.addEventListener("click", () => {
        window.focus();
        shown.close();
      });
    } catch {
      // phones allow notifications only from a service worker; the notice in the portal remains
    }
  });
})();
