"""Server-sent events, from bytes as they arrive: chunks may end anywhere, in a frame or in a character.

Source: html.spec.whatwg.org, section 9.2
"""

from __future__ import annotations

import codecs


class SseDecoder:
    """Turns chunks of bytes into the data of events.

    The end of a line may be LF, CRLF or CR; the space after `data:` may be missing; other fields are passed over.
    """

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """Return the data of the events that this chunk completes."""
        return self._lines(self._rest + self._text.decode(chunk), is_last=False)

    def finish(self) -> list[str]:
        """Return the data of an event that the end of the stream completes."""
        return self._lines(self._rest + self._text.decode(b"", final=True) + "\n\n", is_last=True)

    def _lines(self, text: str, *, is_last: bool) -> list[str]:
        held = "\r" if text.endswith("\r") and not is_last else ""  # its LF may be in the next chunk
        text = text.removesuffix(held) if held else text
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = rest + held
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append("\n".join(self._data))
                    self._data = []
            elif line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))
        return events
