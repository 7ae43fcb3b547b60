"""Workers AI's models: what each is for, and in which of the platform's dialects it answers.

Source: workerd types/defines/ai.d.ts (`AiModels`) and developers.cloudflare.com/workers-ai/models, checked 2026-11-23.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["MODELS", "Dialect", "PlatformModel", "Task"]

Task: TypeAlias = Literal[
    "Text Generation",
    "Text Embeddings",
    "Text Classification",
    "Translation",
    "Summarization",
    "Text-to-Image",
    "Image-to-Text",
    "Image Classification",
    "Object Detection",
    "Automatic Speech Recognition",
    "Text-to-Speech",
    "Voice Activity Detection",
]
# "native": {response, tool_calls, usage}; "openai": chat.completion; "responses": OpenAI's Responses API.
Dialect: TypeAlias = Literal["native", "openai", "responses"]


@dataclass(frozen=True, slots=True)
class PlatformModel:
    """One model of the platform.

    Attributes:
        dimensions: of an embedding model's vectors; 0 for others.
        pooling: what an embedding model's answers say.
        takes_parts: message contents may be arrays of parts.
    """

    name: str
    task: Task
    dialect: Dialect = "native"
    dimensions: int = 0
    pooling: str = "mean"
    takes_parts: bool = False


_NATIVE = [
    "@cf/meta/llama-2-7b-chat-fp16",
    "@cf/meta/llama-2-7b-chat-int8",
    "@cf/meta-llama/llama-2-7b-chat-hf-lora",
    "@cf/meta/llama-3-8b-instruct",
    "@cf/meta/llama-3-8b-instruct-awq",
    "@hf/meta-llama/meta-llama-3-8b-instruct",
    "@cf/meta/llama-3.1-8b-instruct",
    "@cf/meta/llama-3.1-8b-instruct-fp8",
    "@cf/meta/llama-3.1-8b-instruct-awq",
    "@cf/meta/llama-3.1-8b-instruct-fast",
    "@cf/meta/llama-3.1-8b-instruct-fp8-fast",
    "@cf/meta/llama-3.1-70b-instruct",
    "@cf/meta/llama-3.1-70b-instruct-fp8-fast",
    "@cf/meta/llama-3.2-1b-instruct",
    "@cf/meta/llama-3.2-3b-instruct",
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "@cf/meta/llama-guard-3-8b",
    "@cf/mistral/mistral-7b-instruct-v0.1",
    "@cf/mistral/mistral-7b-instruct-v0.1-vllm",
    "@cf/mistral/mistral-7b-instruct-v0.2-lora",
    "@hf/mistral/mistral-7b-instruct-v0.2",
    "@hf/thebloke/mistral-7b-instruct-v0.1-awq",
    "@hf/thebloke/codellama-7b-instruct-awq",
    "@hf/thebloke/deepseek-coder-6.7b-base-awq",
    "@hf/thebloke/deepseek-coder-6.7b-instruct-awq",
    "@hf/thebloke/llama-2-13b-chat-awq",
    "@hf/thebloke/llamaguard-7b-awq",
    "@hf/thebloke/neural-chat-7b-v3-1-awq",
    "@hf/thebloke/openhermes-2.5-mistral-7b-awq",
    "@hf/thebloke/zephyr-7b-beta-awq",
    "@hf/nexusflow/starling-lm-7b-beta",
    "@hf/nousresearch/hermes-2-pro-mistral-7b",
    "@hf/google/gemma-7b-it",
    "@cf/google/gemma-2b-it-lora",
    "@cf/google/gemma-7b-it-lora",
    "@cf/deepseek-ai/deepseek-math-7b-instruct",
    "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b",
    "@cf/defog/sqlcoder-7b-2",
    "@cf/fblgit/una-cybertron-7b-v2-bf16",
    "@cf/microsoft/phi-2",
    "@cf/openchat/openchat-3.5-0106",
    "@cf/qwen/qwen1.5-0.5b-chat",
    "@cf/qwen/qwen1.5-1.8b-chat",
    "@cf/qwen/qwen1.5-14b-chat-awq",
    "@cf/qwen/qwen1.5-7b-chat-awq",
    "@cf/thebloke/discolm-german-7b-v1-awq",
    "@cf/tiiuae/falcon-7b-instruct",
    "@cf/tinyllama/tinyllama-1.1b-chat-v1.0",
    "@cf/qwen/qwen2.5-coder-32b-instruct",
    "@cf/qwen/qwq-32b",
    "@cf/aisingapore/gemma-sea-lion-v4-27b-it",
    "@cf/ibm-granite/granite-4.0-h-micro",
]
_WITH_PARTS = [
    "@cf/meta/llama-3.2-11b-vision-instruct",
    "@cf/meta/llama-4-scout-17b-16e-instruct",
    "@cf/google/gemma-3-12b-it",
    "@cf/mistralai/mistral-small-3.1-24b-instruct",
]
_OPENAI = [
    "@cf/qwen/qwen3-30b-a3b-fp8",
    "@cf/zai-org/glm-4.7-flash",
    "@cf/google/gemma-4-26b-a4b-it",
    "@cf/moonshotai/kimi-k2.5",
    "@cf/moonshotai/kimi-k2.6",
    "@cf/nvidia/nemotron-3-120b-a12b",
]
_RESPONSES = ["@cf/openai/gpt-oss-120b", "@cf/openai/gpt-oss-20b"]
_EMBEDDINGS = {
    "@cf/baai/bge-small-en-v1.5": 384,
    "@cf/baai/bge-base-en-v1.5": 768,
    "@cf/baai/bge-large-en-v1.5": 1024,
    "@cf/baai/bge-m3": 1024,
    "@cf/google/embeddinggemma-300m": 768,
    "@cf/pfnet/plamo-embedding-1b": 2048,
    "@cf/qwen/qwen3-embedding-0.6b": 1024,
}
_OTHERS: dict[Task, list[str]] = {
    "Text Classification": ["@cf/huggingface/distilbert-sst-2-int8", "@cf/baai/bge-reranker-base"],
    "Translation": [
        "@cf/meta/m2m100-1.2b",
        "@cf/ai4bharat/indictrans2-en-indic-1B",
    ],
    "Summarization": ["@cf/facebook/bart-large-cnn"],
    "Text-to-Image": [
        "@cf/black-forest-labs/flux-1-schnell",
        "@cf/black-forest-labs/flux-2-dev",
        "@cf/black-forest-labs/flux-2-klein-4b",
        "@cf/black-forest-labs/flux-2-klein-9b",
        "@cf/bytedance/stable-diffusion-xl-lightning",
        "@cf/leonardo/lucid-origin",
        "@cf/leonardo/phoenix-1.0",
        "@cf/lykon/dreamshaper-8-lcm",
        "@cf/runwayml/stable-diffusion-v1-5-img2img",
        "@cf/runwayml/stable-diffusion-v1-5-inpainting",
        "@cf/stabilityai/stable-diffusion-xl-base-1.0",
    ],
    "Image-to-Text": ["@cf/llava-hf/llava-1.5-7b-hf", "@cf/unum/uform-gen2-qwen-500m"],
    "Image Classification": ["@cf/microsoft/resnet-50"],
    "Object Detection": ["@cf/facebook/detr-resnet-50"],
    "Automatic Speech Recognition": [
        "@cf/deepgram/flux",
        "@cf/deepgram/nova-3",
        "@cf/openai/whisper",
        "@cf/openai/whisper-large-v3-turbo",
        "@cf/openai/whisper-tiny-en",
    ],
    "Text-to-Speech": [
        "@cf/deepgram/aura-1",
        "@cf/deepgram/aura-2-en",
        "@cf/deepgram/aura-2-es",
        "@cf/myshell-ai/melotts",
    ],
    "Voice Activity Detection": ["@cf/pipecat-ai/smart-turn-v2"],
}


def _catalogue() -> dict[str, PlatformModel]:
    models = [PlatformModel(name, "Text Generation") for name in _NATIVE]
    models += [PlatformModel(name, "Text Generation", takes_parts=True) for name in _WITH_PARTS]
    models += [PlatformModel(name, "Text Generation", "openai", takes_parts=True) for name in _OPENAI]
    models += [PlatformModel(name, "Text Generation", "responses", takes_parts=True) for name in _RESPONSES]
    models += [
        PlatformModel(name, "Text Embeddings", dimensions=size, pooling="cls" if name.endswith("m3") else "mean")
        for name, size in _EMBEDDINGS.items()
    ]
    models += [PlatformModel(name, task) for task, names in _OTHERS.items() for name in names]
    return {model.name: model for model in models}


MODELS = _catalogue()
