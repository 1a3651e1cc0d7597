// The queue: the row of the open request is marked. Keys act only on the request that is shown, not on one that loads.
(() => {
  "use strict";
  const pane = () => document.getElementById("pane");
  const list = () => document.getElementById("queue-list");

  const mark = () => {
    const shown = pane()?.dataset.ref;
    for (const row of list()?.querySelectorAll(".pick") ?? []) {
      if (row.dataset.ref === shown) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  };

  // app.js moves the focus on j, k and arrow keys. If no further key follows within 60 ms, the focused row is opened.
  let timer;
  document.addEventListener("keydown", (event) => {
    const row = document.activeElement;
    if (!event.defaultPrevented || !["j", "k", "ArrowDown", "ArrowUp"].includes(event.key)) return;
    if (!row.matches("#queue-list .pick") || row.dataset.ref === pane()?.dataset.ref) return;
    clearTimeout(timer);
    timer = setTimeout(() => row.click(), 60);
  });

  // a and d work only in the list, once for each press, and only if the pane shows the focused row
  document.addEventListener("keydown", (event) => {
    if (!["a", "d"].includes(event.key) || !event.target.closest?.("#queue")) return;
    if (event.target.closest("input, textarea, select")) return;
    const row = event.target.closest("#queue-list .pick");
    const answering = event.key === "a" && document.querySelector("#pane details.ask[open]");
    if (event.repeat || answering || !row || row.dataset.ref !== pane()?.dataset.ref) {
      event.stopImmediatePropagation();
      return;
    }
    // high risk needs a confirmation: the key opens the dialog, Enter confirms, Esc cancels
    const sure = document.getElementById("sure");
    if (event.key !== "a" || !sure || document.body.dataset.shortcuts !== "on") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    sure.showModal();
  }, true);

  // Esc closes the open form and returns the focus to the row; Ctrl+Enter sends the form
  document.addEventListener("keydown", (event) => {
    const ask = event.target.closest?.("#pane details.ask[open]");
    if (!ask) return;
    if (event.key === "Escape") {
      event.preventDefault();
      ask.open = false;
      const row = list()?.querySelector('.pick[aria-current="true"]');
      (row?.checkVisibility() ? row : ask.querySelector("summary")).focus();
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask.querySelector("form").requestSubmit();
    }
  });

  // "Show all" is visible only if the reason does not fit. When it is opened, the text gets the focus.
  const fit = () => {
    const reason = document.getElementById("reason");
    const more = document.querySelector("#pane .more");
    if (reason && more) more.classList.toggle("needless", !more.open && reason.scrollHeight <= reason.clientHeight + 1);
  };
  fit();
  addEventListener("resize", fit);
  document.addEventListener("toggle", (event) => {
    if (!event.target.matches("#pane .more") || !event.target.open) return;
    const reason = document.getElementById("reason");
    reason.tabIndex = -1;
    reason.focus();
  }, true);

  // if the person has shortcuts on, the open row gets the focus, because the keys work there
  const opened = list()?.querySelector('.pick[aria-current="true"]');
  if (document.body.dataset.shortcuts === "on" && document.activeElement === document.body && opened?.checkVisibility()) {
    opened.focus({ preventScroll: true });
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!event.target.closest?.("#queue")) return;
    mark();
    fit();
    if (event.target.id === "pane") {
      document.getElementById("queue").dataset.showing = "detail";
      if (!list().checkVisibility()) document.getElementById("pane-title")?.focus();
    }
    // after a decision the next row gets the focus, even if the list was reloaded meanwhile; on a phone, where the list
    // is hidden, the title of the request gets it
    if (event.target.id === "queue" && document.activeElement === document.body) {
      const next = list().checkVisibility() && list().querySelector(".pick[aria-current]");
      (next || document.getElementById("pane-title"))?.focus();
    }
  });
})();
