"""Which sockets the server listens on."""

from __future__ import annotations

import socket

import pytest

from pyworkers.errors import UsageError
from pyworkers.server.listener import bind


def close(sockets: list[socket.socket]) -> None:
    for listener in sockets:
        listener.close()


def test_a_port_in_use_gives_the_next_free_one() -> None:
    first, port = bind("127.0.0.1", 0)
    try:
        second, next_port = bind("127.0.0.1", port)
        close(second)
        assert port < next_port <= port + 100
    finally:
        close(first)


def test_localhost_is_the_loopback_of_both_families() -> None:
    sockets, port = bind("localhost", 0)
    try:
        addresses = [listener.getsockname()[:2] for listener in sockets]
        assert addresses[0] == ("127.0.0.1", port)
        assert addresses[1:] in ([], [("::1", port)])
    finally:
        close(sockets)


def test_an_address_that_is_not_ours_is_explained() -> None:
    with pytest.raises(UsageError) as caught:
        bind("192.0.2.1", 0)
    assert caught.value.message == 'cannot listen on "192.0.2.1": Cannot assign requested address'
    assert caught.value.hint == "pass --ip 127.0.0.1, or an address of this machine"
