"""People who play themselves."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

import rlpa_bench.options
from rlpa_bench.interfaces import Suite
from rlpa_bench.types import Case, Session

TURNS = 10


class PeopleOptions(rlpa_bench.options.Options):
    places: int = Field(100, ge=1, le=10_000, description="People who can take part.")


class PeopleSuite(Suite):
    """Places for people who play themselves (``rlpa-bench serve-human --persona own``); they say what is known of them.

    A case has no golden profile until its person has given one, so that simulators have nothing to play here.
    """

    name = "people"
    protocol = "people/1"
    unpublishable = "its cases hold what people told of themselves"
    Options = PeopleOptions

    def cases(self) -> Sequence[Case]:
        names = [f"person-{number:04d}" for number in range(1, self.options.places + 1)]
        return [Case(name, None, name, (Session(TURNS),)) for name in names]
