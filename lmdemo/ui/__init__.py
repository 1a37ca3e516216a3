"""The page: draws what the lab in service measures, and computes nothing."""

from lmdemo.ui.page import build_page, launch_options

__all__ = ["build_page", "launch_options"]
