"""Personas out of a Hugging Face data set, for the loader of the bundled suites.

    rlpa-bench run --suite hf-personas:FOLDER --baseline asker
    rlpa-bench run --suite hf-personas:OWNER/NAME -o suite.revision=COMMIT -o 'suite.columns={"job": "Occupation"}'

A row is a profile. Its facts are either in a column ``facts``, as in the bundled profiles.jsonl (objects with ``slot``,
``value`` and, if wanted, ``polarity``, ``id``, ``say``), or in columns that have the names of slots or are mapped to
them; there, texts and lists of texts are read with the ontology, and what it does not know stays free text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from rlpa_bench.cache import cache_dir
from rlpa_bench.errors import DataError, UsageError
from rlpa_bench.types import JSON, SLOTS, TRAIT_SLOT, Case, Item
from rlpa_bench_plugins.suites.persona_files import BUNDLED, digest, read_personalities, read_profiles
from rlpa_bench_plugins.suites.personas import PersonaOptions, PersonaSuite

FACT_SLOTS = tuple(slot for slot in SLOTS if slot != TRAIT_SLOT)


class DatasetOptions(PersonaOptions):
    """Which rows, and what their columns mean."""

    split: str = Field("train", description="Split of the data set.")
    subset: str | None = Field(None, description="Configuration of the data set, where it has several.")
    revision: str | None = Field(None, description="Commit, branch or tag at the hub; pin it.")
    id_column: str = Field("id", description="Column that names the profiles; without it they are numbered.")
    columns: dict[str, str] = Field({}, description='Column -> slot, as JSON: {"job": "Occupation"}.')
    profiles: None = Field(None, description="The profiles are the data set's.")


class HfPersonas(PersonaSuite):
    """Profiles of a data set, each with one personality in rotation."""

    name = "hf-personas"
    protocol = "hf-personas/1"
    Options: ClassVar[type[Any]] = DatasetOptions
    requires = ("datasets",)
    extra = "datasets"
    takes_argument = "a folder that `datasets` can read, or OWNER/NAME at the hub"

    def cases(self) -> Sequence[Case]:
        """One case a row. Raises DataError for rows that are no personas."""
        known = self.context.ontology.values
        personalities = read_personalities(self._personality_file, known)
        profiles = read_profiles(self._profile_file, known)
        return [self._case(profile, personalities[i % len(personalities)]) for i, profile in enumerate(profiles)]

    def describe(self) -> Mapping[str, JSON]:
        """sha256 of the personas as read, of the personalities and of the ontology."""
        return {
            "profiles": digest(self._profile_file),
            "personalities": digest(self._personality_file),
            "ontology": self.context.ontology.digest,
        }

    @property
    def _personality_file(self) -> Path:
        return self.options.personalities or BUNDLED / "aloe" / "personalities.jsonl"

    @cached_property
    def _profile_file(self) -> Path:
        """The rows as a profiles.jsonl in the cache, named by its content."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self._profiles_of(self._rows()))
        folder = cache_dir() / "hf-personas"
        path = folder / f"{sha256(lines.encode()).hexdigest()[:16]}.jsonl"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(lines, encoding="utf-8")
            part.replace(path)
        return path

    def _rows(self) -> Any:
        from datasets import load_dataset, load_from_disk

        if not self.argument:
            raise UsageError("suite 'hf-personas' needs a data set; write hf-personas:FOLDER or hf-personas:OWNER/NAME")
        o, path = self.options, Path(self.argument).expanduser()
        try:
            if (path / "dataset_dict.json").is_file():
                return load_from_disk(str(path))[o.split]
            if (path / "state.json").is_file():
                return load_from_disk(str(path))
            source = str(path) if path.exists() else self.argument
            return load_dataset(source, o.subset, split=o.split, revision=o.revision)
        except Exception as error:  # the library raises many kinds, with long texts
            first = str(error).strip().partition("\n")[0]
            what = f"{type(error).__name__}: {first}"
            raise DataError(f"cannot read data set {self.argument!r}, split {o.split!r} ({what})") from None

    def _profiles_of(self, rows: Any) -> Iterator[dict[str, Any]]:
        slots = self._slots(rows.column_names)
        for number, row in enumerate(rows, 1):
            facts = list(row["facts"]) if "facts" in rows.column_names else self._facts(row, slots)
            facts = [{key: value for key, value in fact.items() if value is not None} for fact in facts]
            yield {"id": str(row.get(self.options.id_column) or f"row-{number}"), "facts": facts}

    def _slots(self, names: Sequence[str]) -> dict[str, str]:
        """Column -> slot."""
        given: dict[str, str] = self.options.columns
        for column, slot in given.items():
            if column not in names or slot not in FACT_SLOTS:
                raise UsageError(
                    f"suite.columns: {column!r} -> {slot!r}; the columns are {', '.join(names)} "
                    f"and the slots {', '.join(FACT_SLOTS)}"
                )
        by_name = {slot.casefold(): slot for slot in FACT_SLOTS}
        found = {name: by_name[key] for name in names if (key := name.replace("_", " ").casefold()) in by_name} | given
        if not found and "facts" not in names:
            raise DataError(
                f"data set {self.argument!r} has no column that is a slot (its columns are {', '.join(names)}); "
                'map some with -o suite.columns=\'{"COLUMN": "SLOT"}\''
            )
        return found

    def _facts(self, row: Mapping[str, Any], slots: Mapping[str, str]) -> list[dict[str, Any]]:
        items: dict[str, Item] = {}
        for column, slot in slots.items():
            values = row[column] if isinstance(row[column], list) else [row[column]]
            for value in values:
                if value is not None and str(value).strip():
                    atoms = self.context.ontology.resolve(Item(slot, str(value).strip(), origin="dataset"))
                    items |= {atom.key: atom for atom in atoms if not atom.is_trait}
        return [
            {"slot": item.slot, "value": item.value, "polarity": item.polarity, "id": item.id, "origin": item.origin}
            for item in items.values()
        ]
