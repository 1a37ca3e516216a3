"""The log of a server: one JSON object a line, so that nothing that came from outside can begin a line of its own."""

import json
import logging
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """A record as one line of JSON: `time level logger message`, and what it was given as `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # in ASCII: a terminal sees no control characters either


def to_stderr() -> None:
    """Write what this package logs, from INFO on, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("lmdemo")
    logger.handlers = [handler]  # the one of an app that is run again after an edit goes
    logger.setLevel(logging.INFO)
    logger.propagate = False
