"""The README's Python runs as it stands, and its front matter is a Space's."""

import re
import subprocess
import sys

import gradio
import yaml

from lmdemo.bench import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_in_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Interval(median=" in answer.stdout


def test_the_front_matter_is_valid_and_names_what_is_pinned() -> None:
    card = yaml.safe_load(README.split("---")[1])
    assert card["sdk"] == "gradio"
    assert card["sdk_version"] == gradio.__version__
    assert f"gradio=={gradio.__version__}" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / card["app_file"]).is_file()
    assert card["license"] == "mit"
    assert len(card["short_description"]) <= 60
    assert {card["colorFrom"], card["colorTo"]} <= set("red yellow green blue indigo purple pink gray".split())


def test_every_file_the_readme_links_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    assert all((ROOT / link).is_file() for link in links)
