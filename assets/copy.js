// Copying, on plain http too, where a browser gives a page no clipboard. Read after page.js, and like it only names
// functions, but for the clipboard that it makes up for.
window.lmdemo = (() => {
  "use strict";

  const LABEL_STAYS = 2000; // milliseconds that a button says that it copied
  const BY_HAND = "This browser does not let this page copy. It is selected here, to copy by hand:";

  // The way from before there were clipboards, soon after a press of the visitor. Whether it went.
  function copyTheOldWay(text) {
    const field = document.createElement("textarea");
    const pressed = document.activeElement;
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const went = document.execCommand("copy");
    field.remove();
    pressed?.focus({ preventScroll: true });
    return went;
  }

  // Below the row, or the box, of what was pressed; the one before goes.
  function showToCopy(pressed, text) {
    document.querySelector(".by-hand")?.remove();
    const label = document.createElement("label");
    const field = document.createElement("textarea");
    label.className = "by-hand";
    label.textContent = BY_HAND;
    field.readOnly = true;
    field.rows = 3;
    field.value = text;
    label.append(field);
    (pressed?.closest(".row, .block") ?? document.querySelector(".gradio-container .main")).after(label);
    field.select();
  }

  const madeUp = {
    async writeText(text) {
      if (copyTheOldWay(text)) return;
      showToCopy(document.activeElement, text);
      throw new Error("this browser does not let a page copy");
    },
  };
  // Gradio's own buttons to copy do nothing without a clipboard, and say nothing.
  if (!navigator.clipboard) Object.defineProperty(navigator, "clipboard", { value: madeUp, configurable: true });

  // A frame may have a clipboard and not be let use it.
  async function copy(text) {
    if (!navigator.clipboard || navigator.clipboard === madeUp) return copyTheOldWay(text);
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyTheOldWay(text);
    }
  }

  // What the button says then.
  async function copied(label, text) {
    const pressed = document.activeElement;
    document.querySelector(".by-hand")?.remove();
    if (await copy(text)) return "Copied";
    showToCopy(pressed, text);
    return label;
  }

  // What the button says then; `texts` is a JSON object, kind -> text.
  function copyText({ kind, said }, texts) {
    return copied(said.label, JSON.parse(texts)[kind]);
  }

  // What the button says then.
  function copyLink({ said }, address, query, guess) {
    return copied(said.label, address.split(/[?#]/)[0] + query + (guess ? "&guess=1" : ""));
  }

  function labelAgain({ said }) {
    return new Promise((done) => {
      setTimeout(() => done(said.label), LABEL_STAYS);
    });
  }

  return { ...window.lmdemo, copyText, copyLink, labelAgain };
})();
