"""The page: draws what a `Lab` measures, and computes nothing."""

from lmdemo.ui.page import LAUNCH, build_page

__all__ = ["LAUNCH", "build_page"]
