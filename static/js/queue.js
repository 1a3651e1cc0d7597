// The queue: the row that is opened is the row that is marked, and keys act on what is seen, never on what still loads.
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

  // j, k and the arrows have moved the focus (app.js): open what it is on, once it rests there
  let rest;
  document.addEventListener("keydown", (event) => {
    const row = document.activeElement;
    if (!event.defaultPrevented || !["j", "k", "ArrowDown", "ArrowUp"].includes(event.key)) return;
    if (!row.matches("#queue-list .pick") || row.dataset.ref === pane()?.dataset.ref) return;
    clearTimeout(rest);
    rest = setTimeout(() => row.click(), 60);
  });

  // a and d: from the list alone, once per press, and only when the pane shows the row that has the focus
  document.addEventListener("keydown", (event) => {
    if (!["a", "d"].includes(event.key) || !event.target.closest?.("#queue")) return;
    if (event.target.closest("input, textarea, select")) return;
    const row = event.target.closest("#queue-list .pick");
    const answering = event.key === "a" && document.querySelector("#pane details.ask[open]");
    if (event.repeat || answering || !row || row.dataset.ref !== pane()?.dataset.ref) {
      event.stopImmediatePropagation();
      return;
    }
    // of high risk one key is not enough: it opens the question, which Enter answers and Esc leaves
    const sure = document.getElementById("sure");
    if (event.key !== "a" || !sure || document.body.dataset.shortcuts !== "on") return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    sure.showModal();
  }, true);

  // Esc closes the question that is open and gives the focus back to the row; Ctrl+Enter sends what was written
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

  // "Show all" only where the reason does not fit; opened, the focus goes on with the text
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

  // who comes to the queue with its keys switched on finds the focus where they work: on the row that is opened
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
    // after a decision the next row takes the focus, also where the list was fetched anew in between; on a phone, where
    // the list is away, what is to decide does
    if (event.target.id === "queue" && document.activeElement === document.body) {
      const next = list().checkVisibility() && list().querySelector(".pick[aria-current]");
      (next || document.getElementById("pane-title"))?.focus();
    }
  });
})();
