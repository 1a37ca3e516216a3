"""The README's Python runs as it stands, and its front matter is a Space's."""

import re
import shlex
import subprocess
import sys

import gradio
import yaml

import lmdemo
from lmdemo.bench import ROOT
from lmdemo.card import WINDOW
from lmdemo.cli import command_line
from lmdemo.publish import MEASURED_WORDS
from lmdemo.service import DEFAULT_NAME
from lmdemo.ui import link
from lmdemo.ui.embed import snippet

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_in_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Interval(median=" in answer.stdout


def test_the_snippets_in_the_readme_are_what_the_builder_writes() -> None:
    query = {"tab": "size"}
    written = [snippet("http://127.0.0.1:7860/", query, frame, "") for frame in (True, False)]
    assert re.findall(r"```html\n(.*?)```", README, re.DOTALL) == written


def test_the_addresses_in_the_readme_ask_for_something() -> None:
    first, second = re.findall(r"^    (http://127\.0\.0\.1:7860/\S+)$", README, re.MULTILINE)
    assert link.writing(first, lmdemo.VARIANTS).run
    assert link.measuring(second, lmdemo.VARIANTS, 20_000).run


def test_every_command_in_the_readme_is_one() -> None:
    commands = re.findall(r"^ +\.venv/bin/python -m lmdemo (.*)$", README, re.MULTILINE)
    assert {command.split()[0] for command in commands} == {"train", "convert", "publish"}
    for command in commands:
        command_line().parse_args(shlex.split(command))


def test_what_the_readme_says_of_publishing_is_what_the_code_does() -> None:
    assert f"at most {MEASURED_WORDS:,} words of its test text, window {WINDOW}" in " ".join(README.split())
    assert f"publish path/to/folder owner/{DEFAULT_NAME}\n" in README


def test_the_front_matter_is_valid_and_names_what_is_pinned() -> None:
    card = yaml.safe_load(README.split("---")[1])
    assert card["sdk"] == "gradio"
    assert card["sdk_version"] == gradio.__version__
    assert f"gradio=={gradio.__version__}" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / card["app_file"]).is_file()
    assert card["license"] == "mit"
    assert not {"models", "preload_from_hub"} & card.keys()  # the README says why
    assert len(card["short_description"]) <= 60
    assert {card["colorFrom"], card["colorTo"]} <= set("red yellow green blue indigo purple pink gray".split())


def test_every_file_the_readme_links_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    assert all((ROOT / link).is_file() for link in links)
