// Behaviour that HTML alone does not have. Every page works without this file. It sends no requests by itself.
(() => {
  "use strict";
  const root = document.documentElement;
  const typing = (el) => el instanceof Element && el.closest("input, textarea, select, [contenteditable]");
  const shown = (el) => el.getClientRects().length > 0;

  // --- theme: a choice on the profile page is shown before it is saved ---
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-theme-choice]")) return;
    if (event.target.value) root.dataset.theme = event.target.value;
    else delete root.dataset.theme;
  });

  // --- menus close on Escape, on a click elsewhere and when the focus leaves them ---
  const closeMenus = (keep) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== keep) menu.open = false;
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("focusin", (event) => closeMenus(event.target.closest("details.menu")));

  // --- dialogs: <button data-opens="id"> opens <dialog id>, [data-closes] closes the one it is in ---
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    const closer = event.target.closest("[data-closes]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (closer) closer.closest("dialog")?.close();
  });

  // --- copying: <button data-copies="id"> ---
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.querySelector("[data-label]").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
    }
  });

  // --- a form with data-once is sent only once, even if its button is pressed several times ---
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // --- details.ask: when it opens, the focus goes to its first field ---
  // If a shortcut opened it, this happens at once, so that the next key is text and not a shortcut.
  const answer = (ask) => {
    if (!ask?.open || ask.contains(document.activeElement) && document.activeElement.closest("form")) return;
    const chosen = ask.querySelector("input[type=radio]:checked");
    (chosen ?? ask.querySelector("input:not([type=hidden]), textarea, select, button"))?.focus();
  };
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.ask")) answer(event.target);
  }, true);

  // --- shortcuts: single keys work only while the focus is inside [data-keys], and only if the person has them on ---
  // <div data-keys> ... <a data-key="j">: the key j clicks that element; if it is a field, it gets the focus.
  // data-key="/" on a field works everywhere on the page. So does Escape, which closes a menu.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      return;
    }
    if (document.body.dataset.shortcuts !== "on" || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const scope = event.key === "/" ? document : event.target.closest?.("[data-keys]");
    if (!scope) return;
    const target = [...scope.querySelectorAll(`[data-key="${CSS.escape(event.key)}"]`)].find(shown);
    if (!target) return;
    event.preventDefault();
    if (typing(target)) target.focus();
    else {
      target.click();
      if (target.matches("summary")) answer(target.closest("details.ask"));
    }
  });

  // --- lists of links ([data-roving]): arrow keys, j and k move between the links ---
  document.addEventListener("keydown", (event) => {
    const list = event.target.closest?.("[data-roving]");
    if (!list || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const single = document.body.dataset.shortcuts === "on";
    const down = event.key === "ArrowDown" || (single && event.key === "j");
    const up = event.key === "ArrowUp" || (single && event.key === "k");
    if (!down && !up) return;
    const rows = [...list.querySelectorAll("a[href]")].filter(shown);
    const next = rows[rows.indexOf(event.target.closest("a[href]")) + (down ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  // --- focus: the first [data-focus] of a new page or of a swapped part gets the focus ---
  const focusIn = (place) => {
    const target = place.matches?.("[data-focus]") ? place : place.querySelector?.("[data-focus]:not([data-still] *)");
    if (!target) return;
    if (!target.matches("a, button, input, select, textarea, summary, [tabindex]")) target.tabIndex = -1;
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  };
  focusIn(document);
  document.addEventListener("htmx:afterSettle", (event) => focusIn(event.detail.elt));

  // --- errors of htmx requests ---
  // An error notice of the portal has the header HX-Retarget and is shown. For other failures, #no-answer is shown.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Retarget")) event.detail.shouldSwap = true;
  });
  const say = () => {
    const words = document.getElementById("no-answer");
    const place = document.getElementById("messages");
    if (words && place) place.replaceChildren(words.content.cloneNode(true));
  };
  document.addEventListener("htmx:sendError", say);
  document.addEventListener("htmx:timeout", say);
  document.addEventListener("htmx:responseError", (event) => {
    if (!event.detail.xhr.getResponseHeader("HX-Retarget")) say();
  });
  // the next successful answer removes that notice
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.successful !== false) document.querySelector("#messages > [data-no-answer]")?.remove();
  });
})();
