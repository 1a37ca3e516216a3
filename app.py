"""lmdemo as a Space or on a laptop: load the checkpoint, build the page, launch."""

import os
import sys

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
from lmdemo import log
from lmdemo.jobs import longest_from
from lmdemo.machine import few_arenas
from lmdemo.service import Service, request_from
from lmdemo.ui import LAUNCH, build_page

try:
    service = Service(request_from(os.environ), longest_from(os.environ))
except lmdemo.LmdemoError as error:
    sys.exit(f"lmdemo cannot start: {error}")

demo = build_page(service)

if __name__ == "__main__":
    few_arenas()
    log.to_stderr()
    demo.launch(prevent_thread_lock=True, **LAUNCH)
    service.start()  # first results and the Hub, once the page is served: they must not delay it
    demo.block_thread()
