"""lmdemo as a Space or on a laptop: load the checkpoint, build the page, launch."""

import gc
import os
import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while all this is imported ends it without a traceback
    gc.disable()  # what is imported and built here stays: to look through it for cycles took a sixth of the start

# Before torch: one thread for the whole process, so that timings compare; torch.set_num_threads is partly
# thread-local and cannot be relied on in handlers. Before gradio and huggingface_hub: no telemetry.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Statistics that nobody asks for: Gradio would keep the last 10,000 events and go through them all at each one's end.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"

import lmdemo
from lmdemo.memory import few_arenas
from lmdemo.server import log
from lmdemo.server.jobs import longest_from
from lmdemo.server.service import Service, request_from
from lmdemo.server.shutdown import serve
from lmdemo.server.tools import answer_calls
from lmdemo.ui import build_page, launch_options

try:
    service = Service(request_from(os.environ), longest_from(os.environ))
    options = launch_options(service, os.environ.get("LMDEMO_FRAME_ANCESTORS"))
except lmdemo.LmdemoError as error:
    sys.exit(f"lmdemo cannot start: {error}")

demo = build_page(service)


def begin() -> None:
    """Once the page is served, which none of it may delay: tools for agents, the first results, the Hub."""
    answer_calls(demo)
    # What is there now stays: 340,000 objects that each full collection of cycles would go through, for 0.16 s in
    # which nothing else runs, and of which a quarter as much again would have to come before one were made.
    gc.freeze()
    service.start()


if __name__ == "__main__":
    gc.freeze()  # 540,000 objects that no collection needs to go through
    gc.enable()
    # Each operation of torch gives the interpreter away and wants it back; whoever has it keeps it for so long. With
    # Python's own 5 ms, pages that are being drawn would show in the timings.
    sys.setswitchinterval(0.0005)  # seconds
    few_arenas()
    log.to_stderr()
    serve(demo, options, begin)
