"""Buttons that hand out what the page shows: a chart as a picture, a table as text. All in the browser."""

import json
from collections.abc import Sequence

import gradio as gr

from lmdemo.ui import markup

MEDIA = {"csv": "text/csv", "json": "application/json"}
TEXT = """(texts) => {
  if (!texts) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.parse(texts).KIND], {type: "MEDIA"}));
  link.download = "NAME.KIND";
  link.click();
  URL.revokeObjectURL(link.href);
}"""
# Where a browser gives no clipboard (plain http from another machine), it can still save.
COPY = """async (texts, line) => {
  if (!texts) return [LABEL, NOTHING];
  try {
    await navigator.clipboard.writeText(JSON.parse(texts).KIND);
    return ["Copied", line];
  } catch {
    return [LABEL, REFUSED];
  }
}"""
LABEL_AGAIN = "() => new Promise((done) => setTimeout(() => done(LABEL), 2000))"
SAY_IF_EMPTY = "(texts, line) => texts ? line : NOTHING"
REFUSED = "This browser does not let this page copy; save it as JSON or CSV instead."
# Gradio's plotly is window.Plotly. A picture is for a white page, and as wide whatever the window's width is;
# on the page itself the style sheet gives the text its colour.
PICTURE = """() => {
  const chart = document.querySelector("#CHART .js-plotly-plot");
  if (!chart) return;
  const font = {...chart.layout.font, color: "#334155"};
  const layout = {...chart.layout, font, paper_bgcolor: "white", autosize: false};
  const picture = {format: "KIND", filename: "NAME", width: 960, height: chart.layout.height, scale: SCALE};
  window.Plotly.downloadImage({data: chart.data, layout}, picture);
}"""
SCALES = {"png": 2, "svg": 1}


def text_button(label: str, name: str, kind: str, texts: gr.Textbox) -> gr.Button:
    """A button that saves the text under `kind` in the JSON object that `texts` holds; nothing while it is empty."""
    script = _filled(TEXT, KIND=kind, MEDIA=MEDIA[kind], NAME=name)
    button = gr.Button(label, size="sm")
    button.click(None, texts, None, js=script, api_visibility="private")
    return button


def copies(button: gr.Button, kind: str, texts: gr.Textbox, line: gr.HTML, nothing: str) -> None:
    """Let `button` copy the text under `kind`, and say on itself that it did; `nothing` goes to `line` without one."""
    label = json.dumps(button.value)
    script = _filled(COPY, LABEL=label, NOTHING=_alert(nothing), REFUSED=_alert(REFUSED), KIND=kind)
    copied = button.click(None, [texts, line], [button, line], js=script, api_visibility="private")
    copied.then(None, None, button, js=_filled(LABEL_AGAIN, LABEL=label), api_visibility="private")


def says_if_empty(buttons: Sequence[gr.Button], texts: gr.Textbox, line: gr.HTML, nothing: str) -> None:
    """Let `line` say `nothing` when one of `buttons` is pressed while there are no texts."""
    script = _filled(SAY_IF_EMPTY, NOTHING=_alert(nothing))
    gr.on([button.click for button in buttons], None, [texts, line], line, js=script, api_visibility="private")


def _alert(sentence: str) -> str:
    return json.dumps(markup.alert(sentence))


def picture_buttons(chart: str, name: str) -> None:
    """Two buttons that save the chart whose element has the id `chart`."""
    for kind, scale in SCALES.items():
        script = _filled(PICTURE, CHART=chart, KIND=kind, NAME=name, SCALE=str(scale))
        gr.Button(f"Chart as {kind.upper()}", size="sm").click(None, None, None, js=script, api_visibility="private")


def _filled(script: str, **values: str) -> str:
    for name, value in values.items():
        script = script.replace(name, value)
    return script
