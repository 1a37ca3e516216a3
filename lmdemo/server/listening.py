"""Where the server listens: `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT`, checked before Gradio reads them.

From the environment Gradio takes a port for the first of a hundred, reads it as a number when it is imported, and looks
for a free one at the name with an IPv4 socket. As arguments of `launch` it takes both at their word.
"""

import errno
import os
import socket
from collections.abc import MutableMapping

from lmdemo.errors import InputError
from lmdemo.inputs import whole_number

NAME, PORT = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"
LOOPBACK = "127.0.0.1"  # where Gradio listens by default, and where it looks whether a port is free


def listening(environment: MutableMapping[str, str]) -> dict[str, object]:
    """The arguments of `launch` for what `environment` asks for, which is taken out of it; empty counts as unset.

    Without a port the first free one from 7860 is taken, by Gradio.

    Raises:
        InputError: there is no such address here, or the port is no number of one, taken, or not for this user.
    """
    host = environment.pop(NAME, "").strip().removeprefix("[").removesuffix("]")
    asked = environment.pop(PORT, "").strip()
    port = _port(asked) if asked else None
    _check(host or LOOPBACK, port)
    return {"server_name": f"[{host}]" if ":" in host else host or None, "server_port": port}


def taken(port: int | None) -> InputError:
    """For a port that was asked for and is not free, or for all of those that are tried without one."""
    if port is None:
        return InputError(f"No port from 7860 to 7959 is free on this machine; {PORT} names another.")
    return InputError(f"{PORT}: port {port} is taken on this machine; without one the first free from 7860 is served.")


def _port(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    return whole_number(PORT, number, 1, 65_535)


def _check(host: str, port: int | None) -> None:
    """Bind every address that the server will, and let go of it again."""
    nowhere = InputError(f"{NAME} must be an address or a name of this machine, as in 0.0.0.0, :: or localhost.")
    if "%" in host:  # the scope of an IPv6 address, with which Gradio makes no address that its own client takes
        raise nowhere
    try:
        found = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # a name that is too long cannot be encoded
        raise nowhere from error
    addresses = {(family, address) for family, _, _, _, address in found}
    if port is not None:
        addresses.add((socket.AF_INET, (LOOPBACK, port)))
    for family, address in addresses:
        try:
            _bind(family, address)
        except OSError as error:
            match error.errno:
                case errno.EADDRINUSE:
                    raise taken(port) from error
                case errno.EACCES:
                    raise InputError(f"{PORT}: this user may not serve on port {port}.") from error
                case _:
                    raise nowhere from error


def _bind(family: socket.AddressFamily, address: tuple) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # a port whose last connections are being closed is free; Windows would give a taken one
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)
