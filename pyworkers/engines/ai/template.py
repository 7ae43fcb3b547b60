"""Renders a conversation with the chat template that a model's file carries.

We render it ourselves, in Jinja's sandbox (a model file is data from elsewhere), so that every engine sees the same
prompt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pyworkers.engines.ai.errors import ModelCorrupt
from pyworkers.engines.ai.gguf import GgufInfo
from pyworkers.engines.ai.grammar.tools import TOOL_CALL_CLOSE, TOOL_CALL_OPEN, tools_prompt
from pyworkers.engines.ai.protocol import ChatMessage, TextRequest

__all__ = ["ChatTemplate"]

# What a model without a template of its own gets.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ChatTemplate:
    """The chat template of one model.

    Raises:
        ModelCorrupt: the template in the file is not a Jinja template.
    """

    def __init__(self, info: GgufInfo) -> None:
        self._info = info
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = _strftime_now
        try:
            self._template: Template = environment.from_string(info.chat_template or CHATML)
        except TemplateError as error:
            raise ModelCorrupt(
                f"the chat template in {info.path} cannot be read: {error}", path=info.path, hint="use another model"
            ) from None

    def render(self, request: TextRequest) -> str:
        """Return the text that the model continues."""
        if request.prompt is not None and request.raw:
            return request.prompt
        messages = request.messages or (ChatMessage("user", request.prompt or ""),)
        turns = _turns(messages, request)
        try:
            text = self._render(turns)
        except TemplateError:
            # Some templates refuse a system turn, or two turns of one role in a row: Gemma's, Mistral's.
            text = self._render(_alternating(turns))
        if self._info.adds_bos and self._info.bos:
            text = text.removeprefix(self._info.bos)
        return text

    def _render(self, turns: list[dict[str, str]]) -> str:
        return self._template.render(
            messages=turns, add_generation_prompt=True, bos_token=self._info.bos, eos_token=self._info.eos
        )


def _turns(messages: Sequence[ChatMessage], request: TextRequest) -> list[dict[str, str]]:
    """Return plain turns: calls and their results as text, the tools told in the system turn."""
    turns: list[dict[str, str]] = []
    if request.tools and request.tool_choice != "none":
        turns.append({"role": "system", "content": tools_prompt(request.tools)})
    for message in messages:
        role, content = message.role, message.content
        if message.role == "tool":
            role, content = "user", f"<tool_response>{content}</tool_response>"
        elif message.tool_calls:
            calls = [
                TOOL_CALL_OPEN
                + json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
                + TOOL_CALL_CLOSE
                for call in message.tool_calls
            ]
            content = "\n".join([content, *calls] if content else calls)
        if turns and turns[-1]["role"] == role == "system":
            turns[-1]["content"] = f"{content}\n\n{turns[-1]['content']}"
        else:
            turns.append({"role": role, "content": content})
    return turns


def _alternating(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the turns as user and assistant by turns, the system's words in front of the first user's."""
    out: list[dict[str, str]] = []
    for turn in turns:
        role = "assistant" if turn["role"] == "assistant" else "user"
        if out and out[-1]["role"] == role:
            out[-1] = {"role": role, "content": f"{out[-1]['content']}\n\n{turn['content']}"}
        elif not out and role == "assistant":
            out += [{"role": "user", "content": ""}, turn]
        else:
            out.append({"role": role, "content": turn["content"]})
    return out


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    # Templates put today's date into the system turn; nothing else depends on it.
    return datetime.now().astimezone().strftime(form)
