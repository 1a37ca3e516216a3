"""What is used of Gradio that it does not promise: each name, where, and a sentence when a new Gradio lacks it.

Trying the next Gradio begins here: `tests/run tests/server/test_gradio_contract.py`.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
import pytest

from lmdemo.bench import ROOT

QUEUE, SESSIONS = "lmdemo/server/gradio_queue.py", "lmdemo/server/sessions.py"
TOOLS, LOADER = "lmdemo/server/tools.py", "lmdemo/server/loader.py"
PRIVATE = ("queueing", "routes", "state_holder", "server_messages", "context", "block_function", "utils", "blocks")

# Where it is used; the module that has it; a class, or None for what the module has itself; the names.
USED: tuple[tuple[str, str, str | None, str], ...] = (
    (QUEUE, "gradio.blocks", "Blocks", "_queue fns queue"),
    (QUEUE, "gradio.routes", "App", "get_blocks iterators"),
    (QUEUE, "gradio.context", "LocalContext", "event_id blocks"),
    (QUEUE, "gradio.utils", None, "SyncToAsyncIterator error_payload"),
    (QUEUE, "gradio.utils", "SyncToAsyncIterator", "aclose"),
    (QUEUE, "gradio.server_messages", None, "EventMessage ProcessCompletedMessage"),
    (QUEUE, "gradio.server_messages", "ProcessCompletedMessage", "output success"),
    (
        QUEUE,
        "gradio.block_function",
        "BlockFunction",
        "_id fn api_name api_visibility concurrency_limit inputs input_parameter_names is_cancel_function queue",
    ),
    (QUEUE, "gradio.queueing", "Event", "_id alive concurrency_id enqueue_time fn request session_hash"),
    (QUEUE, "gradio.queueing", "EventQueue", "queue concurrency_limit current_concurrency"),
    (
        QUEUE,
        "gradio.queueing",
        "Queue",
        "live_updates max_thread_count update_intervals max_size blocks default_concurrency_limit"
        " pending_event_ids_session pending_messages_per_session event_ids_to_events event_queue_per_concurrency_id"
        " active_jobs push get_events process_events send_message clean_events reset_iterators",
    ),
    (SESSIONS, "gradio.blocks", "Blocks", "default_config"),
    (SESSIONS, "gradio.context", "LocalContext", "request"),
    (SESSIONS, "gradio.components.state", "State", "time_to_live"),
    (SESSIONS, "gradio.routes", "App", "get_blocks state_holder"),
    (
        SESSIONS,
        "gradio.state_holder",
        "SessionState",
        "blocks_config state_data config_values _state_ttl is_closed STATE_TTL_WHEN_CLOSED _update_config"
        " _update_value_in_config",
    ),
    (SESSIONS, "gradio.state_holder", "StateHolder", "set_blocks session_data blocks"),
    (TOOLS, "gradio.blocks", "Blocks", "mcp_server_obj local_url"),
    (TOOLS, "gradio.mcp", "GradioMCPServer", "mcp_server tool_to_endpoint api_info"),
)
# Gradio's own order of doing things, on which ours is built: words of the method that must stand there.
RELIED_ON = {
    ("gradio.queueing", "Queue.start_processing"): ["self.get_events()", "self.process_events"],
    ("gradio.queueing", "Queue.process_events"): ["self.send_message(", "self.reset_iterators("],
    ("gradio.queueing", "Queue.push"): ["self.pending_messages_per_session[", "event_queue.queue.append(event)"],
    ("gradio.routes", "App.create_app"): ["_queue.push(", ".pending_messages_per_session", ".clean_events("],
}


def source(module: str) -> str:
    """Of a module, which is not run: some need packages that are not installed."""
    return Path(find_spec(module).origin).read_text(encoding="utf-8")


def lacking(module: str, holder: str | None, names: str) -> list[str]:
    """Those of the names that the class or the module does not have, defined or set on itself."""
    tree = ast.parse(source(module))
    found = set(defined(tree) if holder is None else members(tree, holder))
    return [name for name in names.split() if name not in found]


def defined(tree: ast.Module) -> Iterator[str]:
    """What a module has of its own."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def members(tree: ast.Module, holder: str) -> Iterator[str]:
    """What a class of a module has, with what it inherits in the same file."""
    (body,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == holder] or [ast.Pass()]
    for base in getattr(body, "bases", ()):
        if isinstance(base, ast.Name) and base.id != holder:
            yield from members(tree, base.id)
    for node in ast.walk(body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name


@pytest.mark.parametrize(("where", "module", "holder", "names"), USED)
def test_gradio_has_what_is_used_of_it(where: str, module: str, holder: str | None, names: str) -> None:
    gone = lacking(module, holder, names)
    assert not gone, "\n".join(
        f"{where} uses {name} of {holder or module}, which Gradio {gr.__version__} does not have." for name in gone
    )


def test_what_is_missing_is_told() -> None:
    assert lacking("gradio.queueing", "Queue", "push pull") == ["pull"]
    assert lacking("gradio.queueing", "NoSuch", "push") == ["push"]
    assert lacking("gradio.utils", None, "error_payload NoSuch") == ["NoSuch"]


@pytest.mark.parametrize(("module", "method"), RELIED_ON)
def test_gradio_still_does_it_that_way(module: str, method: str) -> None:
    holder, name = method.split(".")
    text = inspect.getsource(getattr(getattr(importlib.import_module(module), holder), name))
    for words in RELIED_ON[module, method]:
        assert words in text, f"{QUEUE} relies on {words!r} in {method}, which Gradio {gr.__version__} does not have."


def test_the_loader_ships_with_gradio() -> None:
    from lmdemo.server import loader

    front_end = Path(gr.__file__).parent / "templates" / "frontend"
    assert (front_end / "gradio.js").is_file(), f"{LOADER} sends templates/frontend/gradio.js, which is not there."
    assert loader.SHEET.search((front_end / "index.html").read_text(encoding="utf-8")), f"{LOADER} finds no sheet."


def modules() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "lmdemo").rglob("*.py"))]


def private_imports(path: Path) -> list[str]:
    """The modules of Gradio that a file imports and that Gradio keeps to itself."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [name for name in names if re.match(rf"gradio\.(?:_|(?:{'|'.join(PRIVATE)})\b)", name)]
    return found


def private_names(path: Path) -> set[str]:
    """The listed names with an underscore that a file reads of anything but itself."""
    listed = {name for _, _, _, names in USED for name in names.split() if name.startswith("_")} - {"_id"}
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in listed and ast.unparse(node.value) != "self"
    }


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_two_files_alone_name_what_is_private_in_gradio(path: Path) -> None:
    where = str(path.relative_to(ROOT))
    if where in (QUEUE, SESSIONS):
        assert private_imports(path)  # or the test could not fail
    else:
        assert not private_imports(path) + sorted(private_names(path)), where


def test_each_name_stands_where_the_list_says() -> None:
    for where, _, holder, names in USED:
        text = (ROOT / where).read_text(encoding="utf-8")
        for name in names.split():
            used = re.search(rf"\b{name}\b", text)
            inherited = holder in ("SessionState", "StateHolder", "Queue", "App")  # what a subclass relies on
            assert used or inherited, f"{where} does not use {name} of {holder} any more."
