"""Runs TRL on one recipe: ``python -m reference_trainer.tune RECIPE.json``. Needs the extra ``sft-dpo``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reference_trainer.recipe import DpoRecipe, SftRecipe
from reference_trainer.tuning import load


def main(path: Path) -> None:
    """Tunes, resuming where the folder holds a checkpoint, and exports to ``final``."""
    import torch
    from datasets import load_dataset

    recipe, given = load(path)
    out = Path(given["out"])
    devices = max(1, torch.cuda.device_count())
    if recipe.batch % (recipe.micro_batch * devices):
        raise SystemExit(
            f"batch {recipe.batch} is not a multiple of micro_batch {recipe.micro_batch} x {devices} devices"
        )
    rows = load_dataset("json", data_files=recipe.data, split="train")
    trainer = _trainer(recipe, _shared(recipe, out, devices), rows)
    resume = any(out.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=resume)
    trainer.save_model(str(out / "final"))
    trainer.processing_class.save_pretrained(str(out / "final"))
    (out / "final" / "trained_on.json").write_text(json.dumps(given["trained_on"], indent=1), encoding="utf-8")


def _shared(recipe: SftRecipe | DpoRecipe, out: Path, devices: int) -> dict[str, Any]:
    import torch

    return {
        "output_dir": str(out),
        "per_device_train_batch_size": recipe.micro_batch,
        "gradient_accumulation_steps": recipe.batch // (recipe.micro_batch * devices),
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps,
        "learning_rate": recipe.lr,
        "lr_scheduler_type": "cosine",
        "warmup_steps": recipe.warmup,  # below 1 it is a share of all steps
        "max_length": recipe.max_length,
        "bf16": recipe.dtype == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "seed": recipe.seed,
        "logging_steps": 1,
        "save_steps": 50,
        "save_total_limit": 2,
        "report_to": [],
        "model_init_kwargs": {"dtype": recipe.dtype},
    }


def _trainer(recipe: SftRecipe | DpoRecipe, shared: dict[str, Any], rows: Any) -> Any:
    import trl

    if isinstance(recipe, SftRecipe):
        # the loss is on the last message only: earlier replies are history, as in a run
        config = trl.SFTConfig(packing=recipe.packing, **shared)
        pairs = rows.map(
            lambda row: {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]},
            remove_columns=rows.column_names,
        )
        return trl.SFTTrainer(model=recipe.model, args=config, train_dataset=pairs)
    rows = rows.select_columns(["prompt", "chosen", "rejected"])
    return trl.DPOTrainer(model=recipe.model, args=trl.DPOConfig(beta=recipe.beta, **shared), train_dataset=rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
