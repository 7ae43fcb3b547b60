"""The frames that the streaming worker sends, and its reading of what the model sends."""

import json

import pytest
from inference_ui_streaming import frames
from inference_ui_streaming.ai_events import AIEvent, Usage, read_event, whole_answer
from inference_ui_streaming.fences import FenceStripper
from inference_ui_streaming.sse import SseDecoder


def test_a_text_part_serves_both_protocols():
    assert frames.text_part("Héllo\n") == (
        'data: {"type":"message-part","part":{"type":"text","text":"Héllo\\n"},"text":"Héllo\\n"}\n\n'.encode()
    )


def test_the_start_of_a_chat_names_it():
    assert frames.chat_start("c1") == (
        b'data: {"type":"message-start","message":{"role":"assistant","parts":[],"metadata":{"chatId":"c1"}}}\n\n'
    )
    assert frames.chat_start(None) == (
        b'data: {"type":"message-start","message":{"role":"assistant","parts":[],"metadata":{}}}\n\n'
    )
    assert frames.plain_start() == b'data: {"type":"message-start","message":{"metadata":{}}}\n\n'


def test_the_end_carries_the_whole_text_and_the_usage_and_is_followed_by_done():
    sent = frames.end("m1", "Hello", created_at="2026-11-23T00:00:00.000Z", usage=Usage(7, 3)).decode()
    first, *rest = sent.split("\n\n")
    assert json.loads(first.removeprefix("data: ")) == {
        "type": "message-end",
        "message": {
            "id": "m1",
            "role": "assistant",
            "parts": [{"type": "text", "text": "Hello"}],
            "createdAt": "2026-11-23T00:00:00.000Z",
            "usage": {"promptTokens": 7, "completionTokens": 3, "totalTokens": 10},
        },
    }
    assert rest == ['data: {"type":"done"}', "data: [DONE]", ""]


def test_every_frame_is_one_data_line():
    # The published client shows any other line as text.
    sent = frames.chat_start("a\nb") + frames.text_part("\r\n") + frames.error("no\nmore")
    sent += frames.end("m", "x\r\ny", created_at="t", usage=Usage(None, 2))
    assert b"\r" not in sent
    assert all(line == b"" or line.startswith(b"data: ") for line in sent.split(b"\n"))


STREAM = (
    'data: {"response":"Zür"}\n\ndata: {"response":"ich 🚋"}\r\n\r\n'
    ": comment\nevent: x\ndata:a\ndata: b\n\ndata: [DONE]"
)
EVENTS = ['{"response":"Zür"}', '{"response":"ich 🚋"}', "a\nb", "[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_survive_any_chunking(size):
    decoder, raw, events = SseDecoder(), STREAM.encode(), []
    for start in range(0, len(raw), size):
        events += decoder.feed(raw[start : start + size])
    assert events + decoder.finish() == EVENTS


def test_a_frame_is_given_out_as_soon_as_it_is_whole():
    decoder = SseDecoder()
    assert decoder.feed(b"data: 1\n") == []
    assert decoder.feed(b"\ndata: 2\n\ndata:") == ["1", "2"]


@pytest.mark.parametrize(
    ("data", "event"),
    [
        pytest.param('{"response":"Hi","tool_calls":[],"p":"ab"}', AIEvent(text="Hi"), id="native"),
        pytest.param('{"response":7}', AIEvent(text="7"), id="a token that came as a number"),
        pytest.param('{"choices":[{"delta":{"content":"Hi"}}]}', AIEvent(text="Hi"), id="openai"),
        pytest.param('{"choices":[]}', AIEvent(), id="openai without choices"),
        pytest.param('{"type":"response.output_text.delta","delta":"Hi"}', AIEvent(text="Hi"), id="responses"),
        pytest.param(
            '{"response":"","usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}',
            AIEvent(usage=Usage(4, 2)),
            id="usage",
        ),
        pytest.param(
            '{"type":"response.completed","response":{"usage":{"input_tokens":4,"output_tokens":2}}}',
            AIEvent(usage=Usage(4, 2)),
            id="usage of responses",
        ),
        pytest.param('{"error":"3040: busy"}', AIEvent(error="3040: busy"), id="error"),
        pytest.param('{"errors":[{"code":1,"message":"no"}]}', AIEvent(error="no"), id="errors"),
        pytest.param("[DONE]", AIEvent(is_end=True), id="end"),
        pytest.param("null", AIEvent(), id="null"),
        pytest.param("{", AIEvent(error="the model sent a frame that is no JSON"), id="no json"),
    ],
)
def test_model_frames_are_read(data, event):
    assert read_event(data) == event


def test_an_answer_that_does_not_stream_is_one_event():
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    assert whole_answer({"response": {"a": 1}, "usage": usage}) == AIEvent('{"a": 1}', Usage(1, 2), is_end=True)


@pytest.mark.parametrize(
    "tokens",
    [
        ['{"a": 1}'],
        ['```json\n{"a": 1}\n```'],
        ["`", "``", "js", "on", "\n", '{"a"', ": 1}", "\n`", "``", "\n"],
        ["\n", " ", '{"a": 1}', " "],
        ["```\n", '{"a": 1}', "```"],
        list('```json\n{"a": 1}\n```\n'),
    ],
)
def test_fences_are_taken_off_however_they_are_split(tokens):
    stripper = FenceStripper()
    assert "".join(map(stripper.feed, tokens)) + stripper.finish() == '{"a": 1}'


def test_back_quotes_inside_the_answer_stay():
    stripper = FenceStripper()
    tokens = ['{"a": "``', "` x", '"}']
    assert "".join(map(stripper.feed, tokens)) + stripper.finish() == '{"a": "``` x"}'
