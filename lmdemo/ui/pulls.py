"""Where the pull of a checkpoint from the Hub stands, in sentences and as a line of the page."""

from markupsafe import Markup

from lmdemo.checkpoint import Checkpoint
from lmdemo.report import prose
from lmdemo.server.service import Phase, Pull
from lmdemo.ui import markup


def line(state: Pull | None) -> Markup:
    """A line about a checkpoint asked of the Hub; nothing when there is nothing to say."""
    said, meanwhile = sentence(state) if state else ("", "")
    if not said:
        return Markup()
    if not state.under_way:
        return markup.status(said, meanwhile)
    place = Markup(' value="{}" max="{}"').format(state.here, state.total) if state.total else ""
    return Markup('<p class="status">{} <progress{}></progress> {}</p>').format(said, place, markup.note(meanwhile))


def sentence(state: Pull) -> tuple[str, str]:
    """Where a pull stands: a sentence, and what it means for this page.

    Of a model that was only guessed nothing is said before the Hub has it, nor when it was refused, be it missing,
    private or damaged: visitors can do nothing about it, and its owner finds the reason in the log.
    """
    name = state.request.source
    if state.request.guessed and (state.phase is Phase.REFUSED or (state.phase is Phase.PULLING and not state.total)):
        return "", ""
    meanwhile = "Until then this page runs on the checkpoint bundled with it."
    match state.phase:
        case Phase.PULLING if state.total:
            return f"Pulling {name} from the Hub: {state.here / 1e6:.1f} of {prose.megabytes(state.total)}.", meanwhile
        case Phase.PULLING:
            return f"Asking the Hub for {name} …", meanwhile
        case Phase.PREPARING:
            return f"{name} is here; it is being quantized and measured.", meanwhile
        case Phase.SERVING if state.problem:
            return state.problem, "The copy of it that is cached here is used."
        case Phase.REFUSED:
            return state.problem, "This page runs on the checkpoint bundled with it. Asked for by LMDEMO_MODEL."
    return "", ""


def switched(checkpoint: Checkpoint) -> tuple[str, str]:
    """For a page that was open when another checkpoint came into service."""
    return (
        f"This page now runs on {prose.origin(checkpoint)}.",
        "Texts and speeds that were here before came from the checkpoint before it; run again for new ones.",
    )
