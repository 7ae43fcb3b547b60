"""AI: engines that run language models, and the models they run."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from pyworkers.engines.ai.errors import EngineMissing
from pyworkers.engines.ai.protocol import TextEngine
from pyworkers.engines.ai.settings import AISettings

__all__ = ["ENGINES", "AISettings", "engine_name", "open_engine"]

# Short name -> where the class is. The libraries behind them are imported when a model is first used.
ENGINES = {
    "xllamacpp": "pyworkers.engines.ai.xllamacpp_engine:XllamacppEngine",
    "llama_cpp": "pyworkers.engines.ai.llama_cpp_engine:LlamaCppEngine",
    "openai": "pyworkers.engines.ai.openai_engine:OpenAIEngine",
}
# In the order in which an installed one is taken; the name is also the library's module.
_LIBRARIES = ("xllamacpp", "llama_cpp")


def engine_name(settings: AISettings) -> str:
    """Return the engine that the settings mean: the one named, `openai` with a URL, or the first one installed.

    Raises:
        EngineMissing: none is installed, or the one that is named is unknown or not installed.
    """
    name = settings.engine or ("openai" if settings.url else None)
    if name is None:
        name = next((library for library in _LIBRARIES if find_spec(library)), None)
        if name is None:
            raise EngineMissing(
                "no library that runs language models is installed", hint="pip install 'pyworkers-runtime[ai]'"
            )
    elif name not in ENGINES:
        raise EngineMissing(f"there is no AI engine {name!r}", hint="use one of " + ", ".join(sorted(ENGINES)))
    elif name in _LIBRARIES and find_spec(name) is None:
        extra = "ai" if name == "xllamacpp" else "ai-compile"
        raise EngineMissing(f"the AI engine {name} is not installed", hint=f"pip install 'pyworkers-runtime[{extra}]'")
    return name


def open_engine(settings: AISettings) -> TextEngine:
    """Open the engine that the settings mean; cheap: no model is loaded, no library imported.

    Raises:
        EngineMissing: as engine_name().
    """
    module, _, attribute = ENGINES[engine_name(settings)].partition(":")
    opened: TextEngine = getattr(import_module(module), attribute).from_settings(settings)
    return opened
