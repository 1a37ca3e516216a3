"""The page: draws what the lab in service measures, and computes nothing."""

from lmdemo.ui.page import LAUNCH, build_page

__all__ = ["LAUNCH", "build_page"]
