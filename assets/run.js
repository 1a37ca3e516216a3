// A run on the page: its line, its place in the address, and what is left when it breaks off. Read after page.js, and
// like it only names functions.
window.lmdemo = (() => {
  "use strict";

  const RELOADED = "The page was reloaded before this run had come to its end; it runs again from its start.";
  const BROKEN = "Broken off: the connection to this app was lost, or it could not go on. What stands here is no end.";

  // On another's page the address, and what the browser keeps with it, is the other's.
  function ownsAddress(element) {
    return !element.closest("gradio-app[src]");
  }

  // What the browser keeps with the address, through a reload too: which line's run is under way, if one is.
  function mark(line) {
    if (history.state?.lmdemoRun === line) return;
    history.replaceState({ ...history.state, lmdemoRun: line }, "");
  }

  const earlier = {}; // by line: the address before the run that was asked for last

  // A run that is asked for goes into the address, so that a reload shows it again; parameters that are not `ours` stay
  // as they are. Nothing is loaded by it, and nothing on the page reads the address again. The `values`, by `names`, go
  // on to the run; with one that is missing it will be refused, and the address stays. What the app refuses leaves it.
  function keepRun({ ours, tab, names, line }, ...values) {
    const element = document.getElementById(line);
    if (!ownsAddress(element) || values.includes(null)) return values;
    const asked = { tab, ...Object.fromEntries(names.map((name, at) => [name, values[at]])), run: 1 };
    const mine = new URLSearchParams();
    for (const name of ours) {
      const value = asked[name] === true ? 1 : asked[name];
      if (value !== undefined && value !== false) mine.set(name, value); // of a list, with commas between
    }
    const own = mine.toString().replaceAll("+", "%20").replaceAll("%2C", ",");
    const others = location.search.slice(1).split("&");
    const kept = others.filter((part) => part && !ours.includes(part.split("=")[0]));
    const address = `?${[own, ...kept].join("&")}${location.hash}`;
    earlier[line] = location.href;
    history.replaceState({ ...history.state, lmdemoRun: line }, "", address);
    const told = element.parentElement.querySelector(":scope > .interrupted");
    if (told?.dataset.again) told.remove();
    else if (told) told.dataset.again = "asked"; // by the address: the run that the sentence is about
    return values;
  }

  // A run that has ended: one that was refused leaves the address as it was before, so that no reload asks for it again.
  function forgetRefused({ line }) {
    requestAnimationFrame(() => {
      const refused = document.getElementById(line).querySelector(".refused");
      if (refused && earlier[line]) history.replaceState(history.state, "", earlier[line]);
      delete earlier[line];
    });
  }

  function tellInterrupted(block) {
    const line = document.createElement("p");
    line.className = "warning interrupted";
    line.setAttribute("role", "status");
    line.textContent = RELOADED;
    block.before(line);
  }

  // The Stop of the run whose line `block` holds: the nearest, where a tab has several.
  function stopFor(block) {
    for (let part = block; part; part = part.parentElement) {
      const button = part.querySelector("button.stop");
      if (button || part.matches("[role=tabpanel]")) return button;
    }
    return null;
  }

  // Gradio's sign over a line, which stays until a run's last word has come; on one that has failed it stays for good.
  function isBusy(block) {
    return block.querySelector(".wrap.full:not(.hide)") !== null && !block.querySelector(".wrap .error");
  }

  // A line that changes ten times a second is not read out; what it says once a run has ended is, from a region that
  // was there before. That a run begins, or waits in the queue, Gradio says itself; an alert speaks for itself.
  // Until it has ended, what stands beside its Stop begins no other, which Gradio would pass over in silence.
  // Escape presses the tab's own Stop while there is something to stop. Of a run that Gradio gave up, since its server is
  // gone, line and texts say so: it clears a run away after its last word, and only one that is stopped before.
  // A run that is not `kept` in the address does not begin again when the page is reloaded.
  function followRun(element, props, watch, kept) {
    const region = document.createElement("div");
    region.className = "unseen";
    region.setAttribute("role", "status");
    document.body.append(region);
    watch("value", () => {
      const line = element.querySelector(".status");
      if (!line || line.matches(".under-way, .alert")) return;
      const sentence = line.querySelector(".said").textContent.replace(/\s+/g, " ").trim();
      if (region.textContent !== sentence) region.textContent = sentence;
    });
    const block = element.closest(".block");
    const tab = () => block.closest("[role=tabpanel]");
    const stop = () => stopFor(block);
    const underWay = () => block.querySelector(".under-way, .progress-text") !== null;
    const own = kept && ownsAddress(element);
    const again = new URLSearchParams(location.search).get("run") === "1";
    if (own && again && history.state?.lmdemoRun === block.id) tellInterrupted(block);
    let [before, stopping, broken] = [false, false, false];
    const look = () => {
      const now = underWay();
      const button = stop();
      if (button) button.disabled = !now;
      // not `disabled`: the button that was pressed keeps the focus
      const starts = button?.parentElement.querySelectorAll("button.start") ?? [];
      for (const start of starts) start.setAttribute("aria-disabled", isBusy(block));
      if (now) broken = false;
      if (own && now !== before && !broken) mark(now ? block.id : null); // what broke off is still to be told
      before = now;
      // between two lines there is none for a moment, and before its first one a run has Gradio's own sign
      if (!now && element.querySelector(".status")) stopping = false;
      if (!stopping && element.querySelector(".under-way") && block.querySelector(".wrap.hide, .wrap .error")) {
        broken = true;
        tab().querySelector(".texts.under-way")?.classList.replace("under-way", "broken");
        props.value = `<p class="status alert" role="alert">${BROKEN}</p>`;
      }
    };
    const pressed = (event) => {
      if (event.target.closest("button.start[aria-disabled=true]")) event.stopPropagation();
      if (event.target.closest("button.stop") === stop()) stopping = true;
    };
    tab()?.addEventListener("click", pressed, true); // before Gradio hears of it
    new MutationObserver(look).observe(block, { childList: true, subtree: true, attributeFilter: ["class"] });
    requestAnimationFrame(look);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (block.offsetParent !== null && underWay()) stop().click();
    });
  }

  // A text that is longer than it may be stays here: its length goes instead, which is refused.
  function shortEnough({ most }, text) {
    const { length } = [...text]; // an emoji is one character
    return [length > most ? length : text];
  }

  // The inputs as they came, once the page has cleared a cancelled run away: until then an update of it may still come.
  function afterRun({ line }, ...values) {
    const block = document.getElementById(line);
    return new Promise((done) => {
      const look = () => {
        if (isBusy(block)) requestAnimationFrame(look);
        else done(values);
      };
      look();
    });
  }

  return { ...window.lmdemo, keepRun, forgetRefused, followRun, shortEnough, afterRun };
})();
