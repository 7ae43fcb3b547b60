"""``MessageChannel`` and ``MessagePort``.

Source: html.spec.whatwg.org, section 9.4
"""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from typing import Any

from pyworkers.js.clone import structured_clone
from pyworkers.js.events import Event, EventTarget, MessageEvent
from pyworkers.js.timers import run_callback
from pyworkers.js.values import JsProxy, js_method


class MessagePort(EventTarget):
    """One end of a channel; messages are copied and wait until the port is started."""

    on_handlers = ("onmessage", "onmessageerror")

    def __init__(self) -> None:
        self._peer: MessagePort | None = None
        self._waiting: deque[Event] = deque()
        self._context: Context | None = None
        super().__init__()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "onmessage" and callable(value):
            self.start()

    @js_method
    def postMessage(self, value: Any = None) -> None:
        """Send a copy to the other end."""
        if self._peer is not None:
            self._peer._receive(MessageEvent(data=structured_clone(value)))

    @js_method
    def start(self) -> None:
        """Begin to receive; setting ``onmessage`` does it, too."""
        self._context = copy_context()
        while self._waiting:
            self._receive(self._waiting.popleft())

    @js_method
    def close(self) -> None:
        """Cut the two ends apart."""
        if self._peer is not None:
            self._peer._peer = None
            self._peer = None

    def _receive(self, event: Event) -> None:
        if self._context is None:
            self._waiting.append(event)
        else:
            run_callback(self.dispatch, (event,), self._context.copy())


class MessageChannel(JsProxy, read_only="port1 port2"):
    """Two ports that are connected."""

    def __init__(self) -> None:
        self.port1, self.port2 = MessagePort(), MessagePort()
        self.port1._peer, self.port2._peer = self.port2, self.port1

    @classmethod
    def js_new(cls, *_args: Any) -> JsProxy:
        """``new MessageChannel()``."""
        return cls()
