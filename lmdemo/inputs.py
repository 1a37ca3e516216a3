"""The one place where numbers and text from outside are checked.

A check returns the value in its proper type or raises `InputError` with a sentence that names the field
and its range. The sentence never repeats what was typed.
"""

import math
import ssl
from collections.abc import Collection, Mapping

from lmdemo.errors import InputError


def whole_number(field: str, value: object, least: int, most: int, note: str = "") -> int:
    """`value` as an int within least..most; 3.0 counts as 3, true and "3" do not count."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not least <= value <= most:
        raise InputError(f"{field} must be a whole number from {least:,} to {most:,}{note}.")
    return int(value)


def real_number(field: str, value: object, least: float, most: float, note: str = "") -> float:
    """`value` as a finite float within least..most."""
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not least <= value <= most or not math.isfinite(value):
        raise InputError(f"{field} must be a number from {least:g} to {most:g}{note}.")
    return float(value)


def plain_text(field: str, value: object, most: int) -> str:
    """`value` as a string of at most `most` characters; None counts as empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{field} must be text of at most {most:,} characters.")
    if len(value) > most:
        raise InputError(f"{field} has {len(value):,} characters; at most {most:,} are allowed.")
    return value


def flag(field: str, value: object) -> bool:
    """`value` as a bool."""
    if not isinstance(value, bool):
        raise InputError(f"{field} must be true or false.")
    return value


def some_of(field: str, value: object, allowed: Collection[str]) -> tuple[str, ...]:
    """`value`, a list of names, as those of `allowed` that it names, in the order of `allowed`."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name in allowed for name in value):
        raise InputError(f"{field} must be a list of names among {', '.join(allowed)}.")
    return tuple(name for name in allowed if name in value)


def certificates(environment: Mapping[str, str]) -> None:
    """Check the certificates that `environment` has a client of the Hub trust, which reads them without a word."""
    if file := environment.get("SSL_CERT_FILE"):
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:  # none there, or none that holds certificates
            raise InputError("SSL_CERT_FILE must name a file of certificates in PEM format.") from error


def some_models(models: Mapping[str, object]) -> None:
    """`InputError` where there is nothing to run."""
    if not models:
        raise InputError("Models must be one or more, by name.")
