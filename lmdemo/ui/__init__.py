"""The page: draws what the lab in service measures, and computes nothing."""

from lmdemo.ui.launch import launch_options
from lmdemo.ui.page import build_page

__all__ = ["build_page", "launch_options"]
