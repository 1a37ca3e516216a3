"""What a session remembers."""

import asyncio

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from lmdemo.server.sessions import Memories
from threads import in_a_thread


@pytest.fixture
def page() -> gr.Blocks:
    async def build() -> gr.Blocks:  # in a loop, or Gradio makes one and leaves it open
        with gr.Blocks(analytics_enabled=False) as page:
            gr.Slider(0, 10)
            gr.State("nothing yet")
        return page

    return in_a_thread(asyncio.run, build())


@pytest.fixture
def memories(page: gr.Blocks) -> Memories:
    memories = Memories()
    memories.set_blocks(page)
    return memories


def test_a_state_is_a_sessions_own(page: gr.Blocks, memories: Memories) -> None:
    (key,) = (key for key, block in page.blocks.items() if isinstance(block, gr.State))
    memories["ada"][key] = "a run"
    assert memories["ada"][key] == "a run"
    assert memories["bob"][key] == "nothing yet"


def test_a_component_that_was_changed_can_be_sent_and_is_nobody_elses(page: gr.Blocks, memories: Memories) -> None:
    (key,) = (key for key, block in page.blocks.items() if isinstance(block, gr.Slider))
    memories["ada"][key] = changed = gr.Slider(0, 99, render=False)
    assert key in memories["ada"]
    assert memories["ada"][key] is changed
    assert memories["bob"][key].maximum == page.blocks[key].maximum == 10


def test_a_session_does_not_grow_with_the_page(page: gr.Blocks, memories: Memories) -> None:
    ours, bare = memories["ada"], SessionState(page)
    for state in (ours, bare):
        for key in page.blocks:
            state[key] = page.blocks[key]
    assert len(bare.config_values) == len(page.blocks)
    assert ours.config_values == {}
    assert ours.blocks_config is page.default_config


def test_the_session_that_asked_last_is_the_last_to_be_forgotten(memories: Memories) -> None:
    memories.capacity = 2
    for session in ("ada", "bob", "ada", "eve"):
        assert memories[session] is memories[session]
    assert list(memories.session_data) == ["ada", "eve"]
