"""What can go wrong, in sentences a visitor can read.

    LmdemoError
    ├── InputError        a field holds a value it does not allow
    ├── CheckpointError   a checkpoint is missing, broken or not ours
    │   └── HubError      the Hugging Face Hub did not give or take one
    ├── VariantError      a variant cannot be built from this model
    ├── JobError          a run that was started did not come to its end
    └── TrainingError     a training run cannot start or go on
        └── CorpusError   a text of a corpus folder is missing or cannot be read

The text of each is shown as it stands, on the page, by the API and on the command line. It names what
was wrong and what is allowed, and never repeats text that a visitor typed.
"""


class LmdemoError(Exception):
    """Base of every error this package raises on purpose; its text is one sentence for the reader."""


class InputError(LmdemoError, ValueError):
    """A field holds a value outside what it allows."""


class CheckpointError(LmdemoError):
    """A checkpoint folder is missing, incomplete, damaged or of another kind."""


class HubError(CheckpointError):
    """The Hugging Face Hub did not give a checkpoint, or did not take one."""


class VariantError(LmdemoError):
    """A variant is unknown, or quantization had nothing to replace in this model."""


class JobError(LmdemoError):
    """A run that was started took too long, or failed for a reason that is the server's."""


class TrainingError(LmdemoError):
    """The corpus or the output folder does not allow training to start or go on."""


class CorpusError(TrainingError):
    """A text of a corpus folder is missing, or is not text."""
