"""/gradio.js, the loader of <gradio-app>, for pages elsewhere that hold this one as a component."""

import re
from importlib.resources import files

import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# Before Gradio's own loader: the front end needs whole addresses, and a page may give one relative to its <base>. Its
# style sheet it looks for at the top of this host, also where the app is under a path, unless the page has a link with
# that address already. It gets one that, without a rel, loads nothing; the sheet comes from beside this script.
PRELUDE = """for (const app of document.querySelectorAll("gradio-app[src]")) {
  app.setAttribute("src", new URL(app.getAttribute("src"), document.baseURI).href);
}
const here = import.meta.url, {origin} = new URL(here);
const [looked, sheet] = [0, 0].map(() => document.createElement("link"));
looked.setAttribute("href", origin === location.origin ? "SHEET" : new URL("SHEET", origin).href);
Object.assign(sheet, {rel: "stylesheet", href: new URL("SHEET", here).href});
const loaded = new Promise(done => { sheet.onload = sheet.onerror = done; });
document.head.append(looked, sheet);
await loaded;
"""
SHEET = re.compile(r'href="(\./assets/[^"]+\.css)"')


def _loader(_request: Request) -> Response:
    """The script that defines <gradio-app>, which Gradio ships and does not serve; its import is relative."""
    front_end = files(gr).joinpath("templates/frontend")
    sheet = SHEET.search(front_end.joinpath("index.html").read_text(encoding="utf-8"))
    script = PRELUDE.replace("SHEET", sheet[1]) + front_end.joinpath("gradio.js").read_text(encoding="utf-8")
    return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


ROUTE = Route("/gradio.js", _loader)
