"""The page: draws what the lab in service measures, and computes nothing."""

from lmdemo.ui.page import build_page, launch_options
from lmdemo.ui.tools import answer_calls

__all__ = ["answer_calls", "build_page", "launch_options"]
