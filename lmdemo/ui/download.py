"""Buttons that save what the page shows: a chart as a picture, a table as text. All in the browser."""

import gradio as gr

MEDIA = {"csv": "text/csv", "json": "application/json"}
TEXT = """(texts) => {
  if (!texts) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.parse(texts).KIND], {type: "MEDIA"}));
  link.download = "NAME.KIND";
  link.click();
  URL.revokeObjectURL(link.href);
}"""
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


def text_button(label: str, name: str, kind: str, texts: gr.Textbox) -> None:
    """A button that saves the text under `kind` in the JSON object that `texts` holds."""
    script = _filled(TEXT, KIND=kind, MEDIA=MEDIA[kind], NAME=name)
    gr.Button(label, size="sm").click(None, texts, None, js=script, api_visibility="private")


def picture_buttons(chart: str, name: str) -> None:
    """Two buttons that save the chart whose element has the id `chart`."""
    for kind, scale in SCALES.items():
        script = _filled(PICTURE, CHART=chart, KIND=kind, NAME=name, SCALE=str(scale))
        gr.Button(f"Chart as {kind.upper()}", size="sm").click(None, None, None, js=script, api_visibility="private")


def _filled(script: str, **values: str) -> str:
    for name, value in values.items():
        script = script.replace(name, value)
    return script
