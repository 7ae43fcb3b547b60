"""E-mail: what a handler gets and may do, what ``send_email`` sends and refuses, what is kept."""

from __future__ import annotations

import email
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from pyworkers.js.values import JsException

WORKER = """
from js import Headers
from pyodide.ffi import to_js
from workers import Response, import_from_javascript


def new_message(*args):
    return import_from_javascript("cloudflare:email").EmailMessage.new(*args)


async def fetch(request, env):
    pass


ACTIONS = {}


async def email(message, env, ctx):
    await ACTIONS["now"](message)
"""
CONFIG = """
name = "mail"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers_314"]
send_email = [
    { name = "MAIL" },
    { name = "ONE", destination_address = "only@example.com" },
    { name = "SOME", allowed_destination_addresses = ["b@example.com"], allowed_sender_addresses = ["a@example.com"] },
]
"""
RAW = "From: A <a@example.com>\r\nTo: b@example.com\r\nSubject: Hi\r\nMessage-ID: <m1@example.com>\r\n\r\nbody\r\n"


@pytest.fixture
def worker_config(tmp_path: Path) -> list[Path]:
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "entry.py").write_text(WORKER)
    (tmp_path / "worker" / "wrangler.toml").write_text(CONFIG)
    return [tmp_path / "worker" / "wrangler.toml"]


@pytest.fixture
def new_message(runtime: Any) -> Any:
    return runtime.primary.namespace.import_module("entry").new_message


@pytest.fixture
def handle(runtime: Any, worker: Any) -> Any:
    """Deliver a message to a handler; returns the message."""

    async def deliver(action: Any, raw: str = RAW) -> Any:
        runtime.primary.namespace.import_module("entry").ACTIONS["now"] = action
        return await worker.email(raw, sender="a@example.com", recipient="b@example.com")

    return deliver


async def test_a_handler_gets_envelope_headers_and_the_raw_message(handle: Any) -> None:
    from js import Response

    seen: dict[str, Any] = {}

    async def action(message: Any) -> None:
        seen.update(sender=message.from_, to=message.to, size=message.rawSize)
        seen["subject"] = message.headers.get("Subject")
        seen["raw"] = await Response.new(message.raw).text()

    await handle(action)
    assert seen == {"sender": "a@example.com", "to": "b@example.com", "size": len(RAW), "subject": "Hi", "raw": RAW}


async def test_a_handler_may_refuse(handle: Any) -> None:
    async def action(message: Any) -> None:
        message.setReject("unknown")

    assert (await handle(action)).reject_reason == "unknown"


async def test_a_handler_may_forward_with_further_headers(handle: Any, runtime: Any) -> None:
    from js import Headers

    async def action(message: Any) -> None:
        await message.forward("c@example.com", Headers.new([["X-Fwd", "1"]]))

    await handle(action)
    [sent] = runtime.mailbox.sent
    assert (sent.how, sent.sender, sent.recipients) == ("forward", "a@example.com", ("c@example.com",))
    assert sent.raw.decode() == f"x-fwd: 1\r\n{RAW}"


def reply_text(**headers: str) -> str:
    own = {"From": "b@example.com", "Message-ID": "<r@example.com>", "In-Reply-To": "<m1@example.com>"}
    merged = own | {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in merged.items() if value) + "\r\nanswer\r\n"


async def test_a_handler_may_reply(handle: Any, runtime: Any, new_message: Any) -> None:
    async def action(message: Any) -> None:
        result = await message.reply(new_message("b@example.com", message.from_, reply_text()))
        assert result.messageId.endswith("@example.com")

    await handle(action)
    [sent] = runtime.mailbox.sent
    assert (sent.how, sent.recipients) == ("reply", ("a@example.com",))
    assert sent.raw.decode() == f"References: <m1@example.com>\r\n{reply_text()}"


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (reply_text(From="x@example.com"), "Error: From: header does not match mail from"),
        (reply_text(**{"Message-ID": ""}), "Error: invalid message-id"),
        (reply_text(Received="x"), "Error: invalid headers set"),
        (reply_text(In_Reply_To=""), "Error: no In-Reply-To header found in reply message"),
        (reply_text(In_Reply_To="<other@example.com>"), "Error: In-Reply-To does not match original Message-ID"),
        (reply_text(References="<other@example.com>"), "Error: provided References header is invalid"),
    ],
)
async def test_a_reply_that_is_wrong_is_refused(handle: Any, new_message: Any, reply: str, text: str) -> None:
    async def action(message: Any) -> None:
        with pytest.raises(JsException) as caught:
            await message.reply(new_message("b@example.com", "a@example.com", reply))
        assert str(caught.value) == text

    await handle(action)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "In-Reply-To: <x@example.com>",
        "In-Reply-To: <x@y>\r\nReferences: " + " ".join(["<x@y>"] * 100),
    ],
)
async def test_some_messages_cannot_be_answered(handle: Any, new_message: Any, header: str) -> None:
    async def action(message: Any) -> None:
        with pytest.raises(JsException, match=r"^Error: Original email is not replyable$"):
            await message.reply(new_message("b@example.com", "a@example.com", reply_text()))

    await handle(action, f"{header}\r\n{RAW}")


async def test_what_is_sent_raw_is_kept(env: Any, runtime: Any, new_message: Any) -> None:
    result = await env.MAIL.send(new_message("a@example.com", "b@example.com", RAW))
    assert result.messageId.startswith("<")
    assert result.messageId.endswith("@example.com>")
    assert [(sent.how, sent.raw.decode()) for sent in runtime.mailbox.sent] == [("send", RAW)]


async def test_what_is_sent_in_parts_becomes_a_message(env: Any, runtime: Any) -> None:
    await env.MAIL.send(
        {
            "from": {"email": "a@example.com", "name": "Ä"},
            "to": ["b@example.com", "C <c@example.com>"],
            "replyTo": "d@example.com",
            "subject": "Grüße",
            "text": "hello",
            "html": "<b>hello</b>",
            "headers": {"X-Mark": "1"},
            "attachments": [
                {"content": "data", "filename": "a.txt", "type": "text/plain", "disposition": "attachment"}
            ],
        }
    )
    [sent] = runtime.mailbox.sent
    message: Message = email.message_from_bytes(sent.raw, policy=email.policy.default)  # type: ignore[attr-defined]
    shown = {name: str(message[name]) for name in ("From", "To", "Reply-To", "Subject", "X-Mark")}
    assert shown == {
        "From": "Ä <a@example.com>",
        "To": "b@example.com, C <c@example.com>",
        "Reply-To": "d@example.com",
        "Subject": "Grüße",
        "X-Mark": "1",
    }
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/plain"]
    assert (sent.sender, sent.recipients) == ("a@example.com", ("b@example.com", "C <c@example.com>"))


@pytest.mark.parametrize(
    ("binding", "sender", "to", "raw", "text"),
    [
        ("ONE", "a@example.com", "b@example.com", RAW, "Error: email to b@example.com not allowed"),
        ("SOME", "a@example.com", "c@example.com", RAW, "Error: email to c@example.com not allowed"),
        ("SOME", "x@example.com", "b@example.com", RAW, "Error: email from x@example.com not allowed"),
        ("MAIL", "x@example.com", "b@example.com", RAW, "Error: From: header does not match mail from"),
        ("MAIL", "a@example.com", "b@example.com", "From: a@example.com\r\n\r\nx", "Error: invalid message-id"),
        ("MAIL", "a@example.com", "b@example.com", f"Received: x\r\n{RAW}", "Error: invalid headers set"),
    ],
)
async def test_what_may_not_be_sent_is_refused(
    env: Any, runtime: Any, new_message: Any, binding: str, sender: str, to: str, raw: str, text: str
) -> None:
    with pytest.raises(JsException) as caught:
        await getattr(env, binding).send(new_message(sender, to, raw))
    assert (str(caught.value), caught.value.remote) == (text, True)  # type: ignore[attr-defined]  # the platform's
    assert runtime.mailbox.sent == []


@pytest.mark.parametrize(("given", "shown"), [(("x",), "x"), ((), "undefined"), ((None,), "null"), ((5,), "5")])
async def test_what_is_no_message_is_refused(env: Any, given: tuple[Any, ...], shown: str) -> None:
    with pytest.raises(JsException) as caught:
        await env.MAIL.send(*given)
    assert str(caught.value) == f"TypeError: Cannot use 'in' operator to search for 'EmailMessage::raw' in {shown}"


async def test_a_message_without_an_id_is_not_delivered(worker: Any) -> None:
    with pytest.raises(ValueError, match="no Message-ID header"):
        await worker.email("From: a@example.com\r\n\r\nx", sender="a@example.com", recipient="b@example.com")
