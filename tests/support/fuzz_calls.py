"""Calls of the functions and endpoints that a running app says it has: as the page makes them, and nearly so."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from fuzz_app import JSON, Sent
from fuzz_requests import API, anything, bodies, label, plain, queries, segments, sessions, text

ENDPOINTS = ("generate", "sizes", "evaluate", "inspect", "text", "bits", "shape")


@dataclass(frozen=True)
class Page:
    """What `/config` has: functions and components by their number."""

    functions: Mapping[int, Mapping]
    components: Mapping[int, Mapping]


@st.composite
def calls(draw: st.DrawFn, page: Page, spoilt: bool) -> Sent:
    """A function of the page or an endpoint, called as the page and programs do; `spoilt`: nearly so."""
    name = draw(st.sampled_from(["page", "page", "endpoint"]))
    if name == "endpoint":
        endpoint = draw(st.sampled_from(ENDPOINTS))
        function = next(each for each in page.functions.values() if each["api_name"] == endpoint)
        body: dict = {"data": draw(_data(page, function["inputs"], spoilt))}
        target = f"{API}/call/{endpoint}"
    else:
        function = draw(st.sampled_from([each for each in page.functions.values() if each["backend_fn"]]))
        body = {
            "data": draw(_data(page, function["inputs"], spoilt)),
            "fn_index": function["id"],
            "session_hash": draw(sessions),
        }
        target = f"{API}/queue/join" if function["queue"] else f"{API}/run/predict"
    if spoilt:
        field = st.sampled_from(["data", "fn_index", "session_hash", "event_data", "trigger_id", "event_id", "zzz"])
        for key in draw(st.lists(field, max_size=2)):
            body[key] = draw(anything | st.sampled_from(sorted(page.functions)))
        content = draw(bodies(st.just(body)))
    else:
        content = json.dumps(body).encode()
    return Sent(label("POST", target), "POST", target, content, JSON)


def others() -> st.SearchStrategy[Sent]:
    """What goes with a call: following, cancelling, resetting, keeping alive."""
    hashes = sessions | segments
    event = st.from_regex(r"[0-9a-f]{32}", fullmatch=True) | segments

    def get(path: str) -> Sent:
        return Sent(label("GET", path), "GET", path)

    def post(path: str, body: bytes) -> Sent:
        return Sent(label("POST", path), "POST", path, body, JSON)

    cancel = st.fixed_dictionaries(
        {}, optional={"session_hash": hashes | anything, "fn_index": anything, "event_id": event | anything}
    )
    return st.one_of(
        hashes.map(lambda session: get(f"{API}/queue/data?session_hash={session}")),
        hashes.map(lambda session: get(f"{API}/heartbeat/{session}")),
        st.tuples(st.sampled_from(ENDPOINTS) | segments, event).map(
            lambda pair: get(f"{API}/call/{pair[0]}/{pair[1]}")
        ),
        bodies(cancel).map(lambda body: post(f"{API}/cancel", body)),
        bodies(cancel).map(lambda body: post(f"{API}/reset", body)),
        bodies(cancel).map(lambda body: post(f"{API}/run/predict", body)),
    )


@st.composite
def _data(draw: st.DrawFn, page: Page, inputs: Sequence[int], spoilt: bool) -> list:
    """A value for each input: plausible, at its edges, or anything."""
    values = []
    for number in inputs:
        component = page.components[number]
        value = draw(plain) if spoilt and draw(st.booleans()) else draw(plausible(component))
        values.append(_cheap(component, value))
    return values


def plausible(component: Mapping) -> st.SearchStrategy[object]:
    """What a browser might send for a component, its edges and one beyond them included."""
    properties = component["props"]
    match component["type"]:
        case "slider" | "number":
            least, most = properties.get("minimum") or 0, properties.get("maximum") or 2**32 - 1
            return st.sampled_from([least, most, least - 1, most + 1, 1, 1.0, 0.5, None, "1", True])
        case "checkbox":
            return st.booleans()
        case "checkboxgroup":
            names = [value for _, value in properties["choices"]]
            return st.lists(st.sampled_from(names), max_size=6) | st.lists(text, max_size=2)
        case "radio":
            return st.sampled_from([value for _, value in properties["choices"]]) | text
        case "dataset":
            return st.sampled_from([0, 1, 4, 5, 99, -1, 0.5, "0", None])
        case "html":
            return queries().map(lambda query: f"http://127.0.0.1:7860/?{query}") | text
        case "state":
            return st.none() | plain
    return text


def _cheap(component: Mapping, value: object) -> object:
    """The same, but with a length that computes for a moment only; those out of range stay."""
    name = str(component["props"].get("label", "")).lower()
    number = isinstance(value, int | float) and value == value
    if name == "words" and number and 3 < value <= 1000:
        return 2
    if name in ("words of test text", "tokens") and number and 100 < value <= 20_000:
        return 100
    return value
