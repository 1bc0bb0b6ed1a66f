"""What a model became by training: baselines that answer with a checkpoint trained from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.checkpoints import find_checkpoint, read_trained_on, served_by
from rlpa_bench.interfaces import BoundModel, Context
from rlpa_bench.options import Options
from rlpa_bench.types import JSON, Output, View
from rlpa_bench_plugins.baselines.common import Prompted


class TrainedOptions(Options):
    """Which checkpoint."""

    checkpoint: Path | None = Field(
        None, description="Folder of the checkpoint; unset is the one in RLPA_BENCH_CHECKPOINTS trained from the model."
    )


class _Trained(Prompted):
    """Base: the checkpoint with the contract alone, as ``base`` asks the model that it was trained from."""

    Options: ClassVar[type[Any]] = TrainedOptions

    def __init__(self, options: Any, context: Context, argument: str = "", model: BoundModel | None = None) -> None:
        super().__init__(options, context, argument, model)
        self._trained_on = read_trained_on(options.checkpoint) if options.checkpoint else None

    @classmethod
    def resolve(cls, options: Any, model: str) -> tuple[Any, str]:
        """The options with the checkpoint filled in, and the model that serves it.

        Raises UsageError where there is no checkpoint of this model, saying the command that would train one.
        """
        checkpoint = options.checkpoint or find_checkpoint(cls.name, model)
        read_trained_on(checkpoint)
        return options.model_copy(update={"checkpoint": checkpoint}), served_by(checkpoint, model)

    @property
    def trained_on(self) -> Mapping[str, JSON] | None:
        return self._trained_on

    async def respond(self, view: View) -> Output:
        return await self.finish(view, view.messages)

    def describe(self) -> Mapping[str, JSON]:
        return {**super().describe(), "trained_on": self._trained_on}


class Sft(_Trained):
    """The checkpoint that supervised fine-tuning made of the model (ALOE's preferred replies, `data build`)."""

    name = "sft"


class Dpo(_Trained):
    """The checkpoint that direct preference optimisation made of the model (ALOE's pairs, `data build`)."""

    name = "dpo"


class Rlpa(_Trained):
    """The checkpoint that RLPA's training made of the model (arXiv 2505.15456)."""

    name = "rlpa"
