"""The page: draws what the lab in service measures, and computes nothing."""

from lmdemo.ui.page import LAUNCH, build_page
from lmdemo.ui.tools import answer_calls

__all__ = ["LAUNCH", "answer_calls", "build_page"]
