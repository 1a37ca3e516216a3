// What the page does in the browser. `lmdemo/ui/launch.py` puts it into the head, where it is before anything is drawn,
// and `lmdemo/ui/controls.py` calls it. It may be read twice on a page that holds the app twice: it only names
// functions. What they say comes from the page, in `said`.
window.lmdemo = (() => {
  "use strict";

  const MEDIA = { csv: "text/csv", json: "application/json" };
  const SCALES = { png: 2, svg: 1 };
  const LEAVES = 150; // milliseconds in which a pointer goes from a heading to what it says

  const DRAWN_ANEW = { childList: true, subtree: true, attributeFilter: ["class"] }; // what a new value may change
  const FRAMES_STILL = 6; // that a page stands still before it is shown

  function folder({ pathname }) {
    return pathname.replace(/\/+$/, "");
  }

  // Behind a proxy that moves the page and does not pass on where to, nothing works: what the page asks for is
  // somewhere else. Gradio finds the right port and protocol itself, the host and the path it takes as they were sent.
  function checkPlace(page) {
    const sent = new URL(window.gradio_config.root, location.href);
    if (sent.hostname === location.hostname && folder(sent) === folder(location)) return;
    const line = document.createElement("p");
    line.className = "status alert";
    line.setAttribute("role", "alert");
    line.textContent =
      "The proxy that this page came through has moved it and does not pass on where to, so nothing on it works. " +
      `It must send, with every request, the header X-Forwarded-Host: ${location.host}${folder(location)}`;
    page.prepend(line);
  }

  // Gradio draws its components one after another as their code comes, and each pushes what is below it down. So the page
  // is shown when it stands still. The style sheet hides it until then, and for 20 seconds at most.
  function showWhenDrawn(page) {
    let height = 0;
    let still = 0;
    const look = () => {
      const now = page.scrollHeight;
      const loading = page.querySelector(".main > .wrap.default:not(.hide)");
      still = now === height && !loading ? still + 1 : 0;
      height = now;
      if (still < FRAMES_STILL) requestAnimationFrame(look);
      else page.dataset.drawn = "";
    };
    requestAnimationFrame(look);
  }

  // Where the app of an element is: on another's page <gradio-app> carries it.
  function addressOf(element) {
    const src = element.closest("gradio-app")?.getAttribute("src");
    return new URL(src || location.href, document.baseURI);
  }

  // The address of the whole page, with what was asked of this one; `tab` is the one to open.
  function wholePage(element, tab) {
    const address = addressOf(element);
    for (const name of ["view", "embed", "__theme"]) address.searchParams.delete(name);
    address.searchParams.set("tab", tab);
    return address.href;
  }

  // The link of an exhibit to the page that it is of; `tabs` says on which tab each is.
  function leadToWhole(element, tabs) {
    const view = addressOf(element).searchParams.getAll("view").at(-1);
    if (Object.hasOwn(tabs, view)) element.querySelector("a").href = wholePage(element, tabs[view]);
  }

  // The address under which a visitor has the page goes into the hidden `element`. On another's page <gradio-app>
  // carries it, and beside the page the plain link that it was until now; in a frame and on its own, the page's location
  // is the address. Who holds it in a frame hears its height as it changes.
  // An exhibit alone, one of `views`, is for other pages too.
  function holdAddress(element, props, trigger, views) {
    const host = element.closest("gradio-app");
    const page = element.closest(".gradio-container");
    const src = host && host.getAttribute("src");
    if (src) {
      for (const child of host.querySelectorAll(":scope > *")) if (!child.contains(element)) child.remove();
    }
    const address = addressOf(element).href;
    const query = addressOf(element).searchParams;
    const view = views.find((name) => name === query.getAll("view").at(-1));
    if (page && (view || query.get("embed") === "1")) {
      if (view) page.dataset.view = view;
      page.dataset.embedded = "";
      if (!src) document.documentElement.dataset.embedded = "";
      if (!src && parent !== window) {
        const tell = () => parent.postMessage({ lmdemoHeight: Math.ceil(page.getBoundingClientRect().height) }, "*");
        new ResizeObserver(tell).observe(page);
      }
    }
    if (page && !src) checkPlace(page);
    if (page) showWhenDrawn(page);
    props.value = address;
    trigger("input");
  }

  // Texts of a run that is under way are no lower than those before them, so nothing below them moves up and down again.
  function keepHeight(element) {
    let heights = [];
    const keep = () => {
      const sections = [...element.querySelectorAll("section")];
      const going = element.querySelector(".under-way") !== null;
      sections.forEach((section, number) => {
        section.style.minHeight = going && heights[number] ? `${heights[number]}px` : "";
      });
      heights = sections.map((section) => section.offsetHeight);
    };
    new MutationObserver(keep).observe(element, DRAWN_ANEW);
  }

  // A tile is a link to its tab; on this page it opens the tab, and what was set and written stays.
  function leadToTabs(element) {
    element.addEventListener("click", (event) => {
      const tile = event.target.closest("a.tile");
      if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const name = new URL(tile.href).searchParams.get("tab");
      if (element.closest("[data-view]")) {
        Object.assign(tile, { href: wholePage(element, name), target: "_blank", rel: "noopener" });
        return;
      }
      const tabs = element.closest(".gradio-container").querySelectorAll(".tab-container:not(.visually-hidden) [role=tab]");
      const tab = [...tabs].find(({ textContent }) => textContent.trim().toLowerCase() === name);
      if (!tab) return;
      event.preventDefault();
      tab.click();
      tab.focus();
    });
  }

  // A chart, by its id, is one picture to screen readers, under the title in `element`; `sentence` says what it shows.
  function describeChart(element, id, sentence) {
    const describe = () => {
      const chart = document.getElementById(id);
      if (!chart) {
        if (element.isConnected) requestAnimationFrame(describe); // drawn later than its title
        return;
      }
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-labelledby", `${id}-title`);
      chart.setAttribute("aria-describedby", sentence);
      new ResizeObserver(() => fitChart(chart)).observe(chart);
    };
    requestAnimationFrame(describe);
  }

  // A chart whose tab was hidden while the window changed has kept its width: plotly looks at the window alone.
  function fitChart(chart) {
    const plot = chart.querySelector(".js-plotly-plot");
    if (!plot || !chart.clientWidth || !window.Plotly) return;
    if (Math.abs(plot.getBoundingClientRect().width - plot.querySelector(".main-svg").clientWidth) > 1) {
      window.Plotly.Plots.resize(plot);
    }
  }

  // What a heading within `element` means is shown while the pointer is on it or on what it says, while it has the focus,
  // and after a tap; Escape ends that. In one place for all, above everything, or a table that scrolls would cut it off.
  function explainTerms(element) {
    const shown = document.createElement("div");
    shown.className = "meaning";
    shown.hidden = true;
    (element.closest(".gradio-container") || document.body).append(shown);
    let of = null, leaving = 0;
    const hide = () => {
      shown.hidden = true;
      of = null;
    };
    const show = (term) => {
      clearTimeout(leaving);
      of = term;
      shown.textContent = term.dataset.meaning;
      shown.hidden = false;
      place();
    };
    const place = () => {
      if (!of) return;
      const { left, bottom, top } = of.getBoundingClientRect(), edge = 8;
      const { width, height } = shown.getBoundingClientRect();
      const below = bottom + edge + height <= innerHeight;
      shown.style.left = `${Math.max(edge, Math.min(left, innerWidth - width - edge))}px`;
      shown.style.top = `${below ? bottom + edge : Math.max(edge, top - height - edge)}px`;
    };
    const leave = () => {
      clearTimeout(leaving);
      leaving = setTimeout(() => of !== document.activeElement && hide(), LEAVES);
    };
    for (const begin of ["pointerover", "focusin", "click"]) {
      element.addEventListener(begin, (event) => {
        const found = event.target.closest(".term");
        if (found) show(found);
      });
    }
    element.addEventListener("pointerout", (event) => event.target.closest(".term") && leave());
    element.addEventListener("focusout", hide);
    shown.addEventListener("pointerover", () => clearTimeout(leaving));
    shown.addEventListener("pointerout", leave);
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
    document.addEventListener("pointerdown", (event) => of && !of.contains(event.target) && hide());
    document.addEventListener("scroll", place, { capture: true, passive: true }); // a heading that gets the focus scrolls
  }

  // `texts` is a JSON object, kind -> text, in all that follows; empty while there is nothing to hand out.
  function saveText({ name, kind }, texts) {
    if (!texts) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.parse(texts)[kind]], { type: MEDIA[kind] }));
    link.download = `${name}.${kind}`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // Gradio's plotly is window.Plotly. A picture is for a white page, and as wide whatever the window's width is;
  // on the page itself the style sheet gives the text its colour.
  function savePicture({ id, name, kind }) {
    const chart = document.querySelector(`#${id} .js-plotly-plot`);
    if (!chart) return;
    const font = { ...chart.layout.font, color: "#334155" };
    const layout = { ...chart.layout, font, paper_bgcolor: "white", autosize: false };
    const size = { width: 960, height: chart.layout.height, scale: SCALES[kind] };
    window.Plotly.downloadImage({ data: chart.data, layout }, { format: kind, filename: name, ...size });
  }

  const onLoad = { holdAddress, leadToWhole, keepHeight, leadToTabs, describeChart, explainTerms };
  const onClick = { saveText, savePicture };
  return { ...onLoad, ...onClick };
})();
