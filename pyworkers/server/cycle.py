"""One request and response of uvicorn's protocol, with a short way out for an answer that is there as a whole.

ASGI sends an answer in two messages and checks every header against two patterns. A worker's headers were checked when
they were set, so head and body leave in one write. It also lets the response have its own reason phrase, which ASGI
does not know.
"""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from pyworkers.js.headers import RawHeaders

EXTENSION: Final = "pyworkers.cycle"


class Cycle(RequestResponseCycle):
    """One request and response; in the scope's extensions under `EXTENSION`."""

    def answer(self, status: int, reason: str, headers: RawHeaders, body: bytes) -> bool:
        """Send a whole response at once; False, and nothing is sent, when the client cannot take it now.

        Args:
            headers: all of them, framing included, free of line breaks.
        """
        if self.response_started or self.disconnected or self.flow.write_paused:
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        head = [b"HTTP/1.1 %d %s\r\n" % (status, reason.encode("latin-1", "replace"))]
        head += [b"%s: %s\r\n" % pair for pair in headers]
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        head.append(b"\r\n")
        head.append(body)
        self.transport.write(b"".join(head))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def cut(self) -> None:
        """Close the connection under a response that has begun and will not end; uvicorn would call it our mistake."""
        if self.response_started and not self.response_complete:
            self.disconnected = True
            self.transport.close()
