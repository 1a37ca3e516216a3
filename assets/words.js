// Pointing at the words of a text. One of them at a time is a button and in the order of Tab; arrow keys move on from
// it, and what both models thought there is asked for. The state is in the page alone: the word that is pointed at says
// that its panel is open. See `lmdemo/ui/inspecting.py`; read after page.js, and like it only names functions.
window.lmdemo = (() => {
  "use strict";

  const OPEN = '[data-word][aria-expanded="true"]';
  const GUESSED = ".other:not([data-guessed])"; // while a reader guesses first, chosen otherwise and not shown yet
  const ROOM = 16; // pixels between the word that is pointed at and a panel over the foot of the page

  function middle({ left, width }) {
    return left + width / 2;
  }

  // The word in the line above (-1) or below (1) that is nearest to one, or that one.
  function acrossLines(words, from, way) {
    const start = from.getBoundingClientRect();
    let [found, line, distance] = [from, Infinity, Infinity];
    for (const word of words) {
      const box = word.getBoundingClientRect();
      const down = Math.round((box.bottom - start.bottom) * way);
      const aside = Math.abs(middle(box) - middle(start));
      if (down > start.height / 2 && (down < line - 2 || (down <= line + 2 && aside < distance))) {
        [found, line, distance] = [word, down, aside];
      }
    }
    return found;
  }

  function wordAfterKey(key, word) {
    const words = [...word.closest("section").querySelectorAll("[data-word]")];
    const place = words.indexOf(word);
    switch (key) {
      case "ArrowLeft":
        return words[place - 1];
      case "ArrowRight":
        return words[place + 1];
      case "ArrowUp":
        return acrossLines(words, word, -1);
      case "ArrowDown":
        return acrossLines(words, word, 1);
      case "Home":
        return words[0];
      case "End":
        return words.at(-1);
      default:
        return null;
    }
  }

  // The hidden `element` sends the place that is pointed at. Its panel closes when the texts change.
  function pointAtWords(element, props, trigger) {
    const page = element.closest(".gradio-container");
    let pointed = false; // a word is given the focus here, and has not been reached by keys
    const closePanel = () => page.querySelector("#inspection").dispatchEvent(new Event("close"));
    const texts = new MutationObserver(() => {
      if (page.querySelector(OPEN)) return;
      texts.disconnect();
      closePanel();
    });

    const focusOn = (word, options) => {
      pointed = true;
      word.focus(options);
      pointed = false;
    };
    const guesses = (word) => word.matches(GUESSED) && page.querySelector("#guess input:checked") !== null;

    // To arrive at a word by keys is not yet to have guessed.
    const point = (word, arrived = false) => {
      if (word.closest(".under-way") || word.matches(OPEN)) return;
      const waits = arrived && guesses(word);
      for (const before of page.querySelectorAll("[data-word][role]")) {
        for (const name of ["tabindex", "role", "aria-expanded", "aria-controls"]) before.removeAttribute(name);
      }
      const button = { tabindex: 0, role: "button", "aria-expanded": !waits, "aria-controls": "inspection" };
      for (const [name, value] of Object.entries(button)) word.setAttribute(name, value);
      focusOn(word, { preventScroll: !waits });
      if (waits) {
        closePanel();
        return;
      }
      word.dataset.guessed = "";
      texts.observe(page.querySelector("#writing"), { childList: true, subtree: true });
      props.value = Number(word.dataset.word);
      trigger("input");
    };
    const leave = () => {
      const word = page.querySelector(OPEN);
      if (!word) return false;
      word.setAttribute("aria-expanded", "false");
      closePanel();
      focusOn(word, { preventScroll: true });
      return true;
    };

    page.addEventListener("click", ({ target }) => {
      const word = target.closest("[data-word]");
      if (word && getSelection().isCollapsed) point(word);
      if (target.closest("#inspection .close")) leave();
    });
    page.addEventListener("focusin", ({ target }) => {
      if (!pointed && target.matches("[data-word]:focus-visible")) point(target, true);
    });
    page.addEventListener("keydown", (event) => {
      const { key, target } = event;
      const word = target.closest("[data-word]");
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (key === "Escape" && (word || target.closest("#inspection")) && leave()) event.preventDefault();
      if (!word) return;
      const pressed = ["Enter", " "].includes(key);
      const next = pressed ? word : wordAfterKey(key, word);
      if (next === null) return;
      event.preventDefault(); // the page does not scroll instead
      if (next) point(next, !pressed);
    });
  }

  // What the panel says in a line is read out. It comes into sight, and the word that it is about stays in sight.
  // An answer that comes when it was closed again is not shown.
  function showInspection(element, props, watch) {
    const page = element.closest(".gradio-container");
    const panel = page.querySelector("#inspection");
    const region = document.createElement("div");
    region.className = "unseen";
    region.setAttribute("role", "status");
    document.body.append(region);
    panel.addEventListener("close", () => {
      props.value = "";
      page.style.paddingBottom = "";
    });
    watch("value", () => {
      const word = page.querySelector(OPEN);
      if (!props.value) return;
      if (!word) {
        props.value = "";
        return;
      }
      requestAnimationFrame(() => {
        const said = [...panel.querySelectorAll("h3, .why")].map((part) => part.textContent);
        region.textContent = said.join(". ");
        const sheet = panel.parentElement;
        const over = getComputedStyle(sheet).position === "fixed";
        const hidden = over ? `${sheet.offsetHeight + ROOM}px` : "";
        if (over) sheet.scrollTop = 0;
        else if (panel.offsetHeight < innerHeight) panel.scrollIntoView({ block: "nearest" });
        page.style.paddingBottom = hidden; // what is lowest can be pushed out from under it
        word.style.scrollMarginBottom = hidden;
        word.scrollIntoView({ block: "nearest" });
      });
    });
  }

  return { ...window.lmdemo, pointAtWords, showInspection };
})();
