"""lmdemo as a Space or on a laptop: load the checkpoint, build the page, launch."""

import gc
import os
import signal
import sys
import threading

# `gradio app.py` runs this file again after each edit, in a thread of its own, where no signal can be set.
if __name__ == "__main__" and threading.current_thread() is threading.main_thread():
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
from lmdemo import console, inputs, onednn
from lmdemo.memory import few_arenas
from lmdemo.server import log, zerogpu
from lmdemo.server.jobs import longest_from
from lmdemo.server.listening import listening

try:
    inputs.certificates(os.environ)
    address = listening(os.environ)
    # Gradio reads both when it is imported, and fails on what it cannot use
    from lmdemo.server.service import Service, request_from
    from lmdemo.server.shutdown import serve
    from lmdemo.ui import build_page, launch_options

    service = Service(request_from(os.environ), longest_from(os.environ))
    options = launch_options(service, os.environ.get("LMDEMO_FRAME_ANCESTORS")) | address
except lmdemo.LmdemoError as error:
    sys.exit(f"lmdemo cannot start: {error}")

demo = build_page(service)

if not gc.isenabled():  # as it is when this file runs for the first time
    gc.freeze()  # 540,000 objects that no collection needs to go through
    gc.enable()

if __name__ == "__main__":
    # Each operation of torch gives the interpreter away and wants it back; whoever has it keeps it for so long. With
    # Python's own 5 ms, pages that are being drawn would show in the timings.
    sys.setswitchinterval(0.0005)  # seconds
    few_arenas()
    onednn.keep_little()
    console.take_any_text()
    log.to_stderr()
    zerogpu.register()
    serve(demo, options, service.start)
