"""The address under which a visitor has the page: only the browser knows it, behind proxies and on others' pages."""

import json

import gradio as gr

from lmdemo.ui import markup

COPIED = markup.status("Link copied.", "It writes the same texts again, on the same machine.")
NOTHING = markup.alert("There is nothing to link to yet; press Write first.")

# On another's page <gradio-app> carries the address, and beside the page the plain link that it was until now; in a
# frame and on its own, the page's location is the address. Who holds it in a frame is told its height as it changes.
ON_LOAD = """
const host = element.closest("gradio-app"), page = element.closest(".gradio-container");
const src = host && host.getAttribute("src");
if (src) for (const child of [...host.children]) if (!child.contains(element)) child.remove();
const address = src ? new URL(src, document.baseURI).href : location.href;
if (page && new URL(address).searchParams.get("embed") === "1") {
  page.dataset.embedded = "";
  if (!src) document.documentElement.dataset.embedded = "";
  if (!src && parent !== window) {
    const tell = () => parent.postMessage({lmdemoHeight: Math.ceil(page.getBoundingClientRect().height)}, "*");
    new ResizeObserver(tell).observe(page);
  }
}
props.value = address;
trigger("input");
"""

# Where a browser gives no clipboard (plain http from another machine), the link itself is shown, to copy by hand.
COPY = """async (address, query) => {
  if (!query) return NOTHING;
  const link = document.createElement("a");
  link.textContent = link.href = address.split(/[?#]/)[0] + query;
  try {
    await navigator.clipboard.writeText(link.href);
    return COPIED;
  } catch {
    const line = "This browser does not let this page copy. The link:";
    return `<p class="status" role="status">${line} ${link.outerHTML}</p>`;
  }
}""".replace("NOTHING", json.dumps(NOTHING)).replace("COPIED", json.dumps(COPIED))


def build() -> gr.HTML:
    """What holds the address; nothing of it is drawn. `input` comes once, when it is there."""
    return gr.HTML(html_template="", js_on_load=ON_LOAD, visible="hidden", elem_id="address")
