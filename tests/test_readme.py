"""The READMEs' code runs as it stands, their links lead somewhere, and the front matter is a Space's."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import gradio
import pytest
import yaml

import lmdemo
from lmdemo.bench import ROOT, written
from lmdemo.card import WINDOW
from lmdemo.cli import command_line
from lmdemo.hub import DEFAULT_NAME
from lmdemo.publish import MEASURED_WORDS
from lmdemo.server import bodies, connections, health, jobs, rates
from lmdemo.server.gradio_queue import GRACE, MAILBOXES, UNREAD, UNREAD_BYTES
from lmdemo.server.queue_limits import IN_ALL, PER_ADDRESS, PER_ADDRESS_SECONDS, PER_ADDRESS_UNREAD, PER_SESSION
from lmdemo.ui import query
from lmdemo.ui.embed import snippet
from readme import PRINTED_ADDRESS, README, READMES, TOP, block


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_python_in_the_readme_runs() -> None:
    assert "Interval(median=" in output(sys.executable, "-c", block("python", "import lmdemo"))


def test_the_library_brings_neither_the_page_nor_its_charts() -> None:
    loaded = output(sys.executable, "-c", "import lmdemo, sys; print(*sorted(sys.modules))").split()
    assert "lmdemo.generation" in loaded
    assert not {"gradio", "gradio_client", "plotly", "pandas"} & set(loaded)


def test_the_python_client_in_the_readme_runs(address: str) -> None:
    code = block("python", "gradio_client").replace(PRINTED_ADDRESS, address)
    answer = output(sys.executable, "-c", code)
    assert "It was a cold night" in answer
    assert re.search(r"^int8 \d+ 0\.\d+$", answer, re.MULTILINE)
    assert re.search(r"^int8 \d\.\d+ \d+\.\d+$", answer, re.MULTILINE)
    first, *_, last = re.findall(r"^\{'fp32': (\d+), 'int8': \d+\}$", answer, re.MULTILINE)
    assert int(first) < int(last) == 200


def test_the_curl_in_the_readme_runs(address: str) -> None:
    answer = output("bash", "-ec", block("sh", "curl").replace(PRINTED_ADDRESS, address))
    results = [json.loads(line) for line in re.findall(r"^event: complete\ndata: (.*)$", answer, re.MULTILINE)]
    (texts,), (sizes,), (rows,) = results
    assert len(re.findall(r"^event: generating$", answer, re.MULTILINE)) > 1
    assert len(texts["int8"]["words"]) == 20
    assert sizes[0]["ratio"] == 1
    assert [row["tokens"] for row in rows] == [500, 500]


def test_the_snippets_in_the_readme_are_what_the_builder_writes() -> None:
    query = {"tab": "size"}
    written = [snippet("http://127.0.0.1:7860/", query, frame, "") for frame in (True, False)]
    assert re.findall(r"```html\n(.*?)```", README, re.DOTALL) == written


def test_the_addresses_in_the_readme_ask_for_something() -> None:
    *writing, measuring = re.findall(r"^    (http://127\.0\.0\.1:7860/\S+)$", README, re.MULTILINE)
    assert [query.writing(address, lmdemo.VARIANTS, "").run for address in writing] == [True, True]
    assert query.measuring(measuring, lmdemo.VARIANTS, 20_000).run


def test_every_command_in_the_readme_is_one() -> None:
    commands = re.findall(r"^ +\.venv/(?:tests/)?bin/python -m lmdemo (.*)$", README, re.MULTILINE)
    assert {command.split()[0] for command in commands} == {"train", "convert", "publish", "bench"}
    for command in commands:
        command_line().parse_args(shlex.split(command))


def test_every_variable_of_our_own_is_among_the_settings() -> None:
    code = [ROOT / "app.py", *(ROOT / "lmdemo").rglob("*.py")]
    read = {name for path in code for name in re.findall(r"LMDEMO_[A-Z_]+", path.read_text(encoding="utf-8"))}
    section = README.partition("## Settings\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"LMDEMO_[A-Z_]+", section)) == read
    least, most = jobs.LONGEST_RANGE
    assert f"seconds a run may take, {least:,} to {most:,}; without it {jobs.LONGEST:g}" in section


def test_what_the_readme_says_of_publishing_is_what_the_code_does() -> None:
    assert f"at most {MEASURED_WORDS:,} words of its test text, window {WINDOW}" in " ".join(README.split())
    assert f"publish path/to/folder owner/{DEFAULT_NAME}\n" in README


def test_the_front_matter_is_valid_and_names_what_is_pinned() -> None:
    card = yaml.safe_load(TOP.split("---")[1])
    assert card["sdk"] == "gradio"
    assert card["sdk_version"] == gradio.__version__
    assert f"gradio=={gradio.__version__}" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / card["app_file"]).is_file()
    assert card["license"] == "mit"
    assert not {"models", "preload_from_hub"} & card.keys()  # the README says why
    assert len(card["short_description"]) <= 60
    assert {card["colorFrom"], card["colorTo"]} <= set("red yellow green blue indigo purple pink gray".split())


def sections(text: str) -> set[str]:
    """The anchors of its titles, as GitHub and the Hub make them."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_section_a_readme_links_is_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", READMES[path])
    assert links
    for link in links:
        name, _, section = link.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.is_file(), link
        assert not section or section in sections(file.read_text(encoding="utf-8")), link


def test_the_top_is_a_card_and_leads_to_all_the_others() -> None:
    assert len(TOP.encode()) <= 7_000
    top, *others = (path.relative_to(ROOT).as_posix() for path in READMES)
    assert top == "README.md"
    assert [path for path in others if f"]({path})" not in TOP] == []


def test_every_variant_is_explained_at_the_top() -> None:
    table = TOP.partition("| variant | what it is |\n")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[1:] for name in re.findall(r"`(.+?)`", row.split("|")[1])]
    assert named == list(lmdemo.VARIANTS)


def test_the_three_figures_are_those_that_were_measured() -> None:
    measured = READMES[ROOT / "lmdemo" / "bench" / "README.md"]
    ((speed, before, after),) = re.findall(
        r"int8 ÷ fp32 speed \| ([\d.]+) .*\n.*loss fp32 and int8 \| ([\d.]+) and ([\d.]+) nats", measured
    )
    rise = f"{float(after) / float(before) - 1:.2%}"
    assert f"read {float(speed):.1f} times as fast, and raises its loss by {rise}." in " ".join(TOP.split())
    assert f"| {before} → {after} |" in measured
    assert f"| {speed} times as fast |" in measured


def test_the_figures_are_one_runs_as_it_wrote_them() -> None:
    """A table of another run beside them, or a figure changed by hand, is found; so is a second set of marks."""
    text = READMES[ROOT / "lmdemo" / "bench" / "README.md"]
    (found,) = written.MARKED.finditer(text)
    assert written.digest(found["figures"]) == found["digest"]
    assert re.match(r"\d+ \w+ \d{4}, commit \w+\+?: ", found["figures"])
    outside = text.replace(found[0], "")
    tables = re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE)
    assert [table.splitlines()[0] for table in tables] == [
        "| | the tutorial’s model, as it was published | the bundled model, [measured](#what-it-costs) |"
    ]
    ((_, size, _),) = re.findall(r"\| (size), fp32 → int8 \| .* \| ([\d.]+ → [\d.]+) (MB) \|", outside)
    sizes = lmdemo.sizes(lmdemo.build_variants(lmdemo.load_checkpoint().model, ["fp32", "int8"]))
    assert size == " → ".join(f"{each.total / 1e6:.1f}" for each in sizes.values())


def test_what_proves_a_way_to_use_it_is_there() -> None:
    table = README.partition("## Ways to use it\n")[2].partition("\n## ")[0]
    head, _, *rows = re.findall(r"^\|(.*)\|$", table, re.MULTILINE)
    assert [cell.strip() for cell in head.split("|")] == ["to use it", "in short", "proved by"]
    assert len(rows) >= 11
    for row in rows:
        *_, proofs = row.split("|")
        named = re.findall(r"\[([\w.]+)\]\((\S+\.py)\)", proofs)
        assert named, row
        for name, path in named:
            file = ROOT / "tests" / path
            assert file.name == name or f"def {name}(" in file.read_text(encoding="utf-8"), name


def test_the_limits_in_the_readme_are_the_ones_that_hold() -> None:
    section = README.partition("## On a public host\n")[2].partition("\n## ")[0]
    for said in (
        f"| {IN_ALL} in all, {PER_ADDRESS} from one address, {PER_SESSION} from one page;",
        f"| kept for the {MAILBOXES} sessions that asked last; of one with over {UNREAD} messages unread",
        f"| {jobs.LONGEST:g} s, or what `LMDEMO_MAX_SECONDS` says;",
        f"| {rates.PER_SECOND:g} a second from one address, after {rates.AT_ONCE:,.0f} at once;",
        f"closed after {connections.HEAD_PATIENCE:g} s without a whole request head",
        f"begins when it is read; {GRACE:g} s without a reader, or {UNREAD_BYTES / 1e6:g} MB unread, end it;",
        f"{PER_ADDRESS_UNREAD} such places and {PER_ADDRESS_SECONDS:g} s of computing an address |",
        f"| {bodies.MAX_BYTES // 1024} KB, read no further;",
        f"more often than every {health.FRESH:g} s",
    ):
        assert said in section
