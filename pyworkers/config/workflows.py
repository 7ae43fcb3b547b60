"""What may be written in ``[[workflows]]``.

Source: wrangler 4.86, `validateWorkflowBinding`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pyworkers.config.source import Source
from pyworkers.config.tables import WorkflowBinding
from pyworkers.config.values import Values

MAX_NAME_CHARACTERS: Final = 64
MAX_STEPS: Final = 25_000
_NAME: Final = re.compile(rf"[a-zA-Z0-9_][a-zA-Z0-9_-]{{0,{MAX_NAME_CHARACTERS - 1}}}")


def check_workflows(source: Source, values: Values, workflows: Sequence[WorkflowBinding]) -> None:
    """Check a worker's workflows.

    Raises:
        ConfigError: in wrangler's words.
    """
    for index, workflow in enumerate(workflows):
        if not _NAME.fullmatch(workflow.name):
            raise source.error(
                f'"workflows[{index}]" binding "name" field is invalid. Workflow names must be 1-{MAX_NAME_CHARACTERS} '
                "characters long, start with a letter, number, or underscore, and may only contain letters, numbers, "
                "underscores, or hyphens.",
                values.path("workflows", index, "name"),
                hint=f'Rename the workflow "{workflow.name}".',
            )
        steps = workflow.limits.get("steps")
        if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
            raise source.error(
                f'"workflows[{index}]" bindings "limits.steps" field must be a positive integer but got {steps!r}.',
                values.path("workflows", index, "limits", "steps"),
                hint="Write a number from 1 to 25000, or leave it out for 10000.",
            )


def workflow_warnings(workflows: Sequence[WorkflowBinding]) -> Iterator[str]:
    """Yield a line for every limit that Cloudflare does not take; here it is in force."""
    for index, workflow in enumerate(workflows):
        steps = workflow.limits.get("steps")
        if isinstance(steps, int) and steps > MAX_STEPS:
            yield (
                f'"workflows[{index}]" has a step limit of {steps}, which exceeds the production maximum of '
                f"{MAX_STEPS:,}. This configuration may not work when deployed."
            )
