"""What a screen reader is told: what a chart is, and how a run goes."""

from html import escape

import gradio as gr

# A line that changes ten times a second is not read out; what it says once a run has ended is, from a region that
# was there before. That a run begins, or waits in the queue, Gradio says itself; an alert speaks for itself.
# Escape presses the tab's own Stop while there is something to stop.
RUN = """
const region = document.createElement("div");
region.className = "unseen";
region.setAttribute("role", "status");
document.body.append(region);
watch("value", () => {
  const line = element.querySelector(".status");
  if (!line || line.matches(".under-way, .alert")) return;
  const sentence = line.firstChild.textContent.trim();
  if (region.textContent !== sentence) region.textContent = sentence;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  const block = element.closest(".block");
  if (!block || block.offsetParent === null || !block.querySelector(".under-way, .progress-text")) return;
  block.closest("[role=tabpanel]").querySelector("button.stop").click();
});
"""

NAMED = """
const name = () => {
  const chart = document.querySelector("#CHART");
  if (!chart) return element.isConnected && requestAnimationFrame(name);  // drawn later than its title
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-labelledby", "CHART-title");
  chart.setAttribute("aria-describedby", "SENTENCE");
};
requestAnimationFrame(name);
"""


def run_line(value: str, elem_id: str) -> gr.HTML:
    """The line that says how a run goes: read out when it has ended, and Escape stops the run."""
    return gr.HTML(value, elem_id=elem_id, js_on_load=RUN)


def stop_button() -> gr.Button:
    """The button that Escape presses."""
    return gr.Button("Stop", elem_classes="stop")


def chart(figure: object, elem_id: str, title: str, described_by: str) -> gr.Plot:
    """A chart under its title, and one picture of that name to screen readers.

    `described_by` is the id of the element with the sentence that says what the chart shows.
    """
    script = NAMED.replace("CHART", elem_id).replace("SENTENCE", described_by)
    gr.HTML(f'<p class="title" id="{elem_id}-title">{escape(title)}</p>', js_on_load=script)
    return gr.Plot(figure, label=title, show_label=False, container=False, elem_id=elem_id)
