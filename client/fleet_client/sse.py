"""Server-sent events, read in whatever pieces they come: only what is needed of them (``id`` and ``data``).

Source: the HTML standard, "Server-sent events", parsing an event stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MESSAGE_MAX_BYTES = 4 * 1024 * 1024


class TooLong(Exception):
    """A message without an end."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``data`` is empty when only the id has moved on."""

    id: str
    data: bytes = field(repr=False)


class Reader:
    """Takes pieces, gives messages. A message that has not ended when the stream does is none."""

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""
        self._data: list[bytes] = []
        self._size = 0
        self._any = False

    def take(self, piece: bytes) -> Iterator[Message]:
        """The messages that end in this piece.

        Raises:
            TooLong.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if message := self._line(line.removesuffix(b"\r")):
                yield message
        if len(self._rest) + self._size > MESSAGE_MAX_BYTES:
            raise TooLong

    def _line(self, line: bytes) -> Message | None:
        if not line:
            message = Message(self._id, b"\n".join(self._data)) if self._any else None
            self._data, self._size, self._any = [], 0, False
            return message
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value)
            self._any = True
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
            self._any = True
        return None
