"""What an examination says: nothing of sound plugins, everything of others, and what was not checked and why."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sound import SOUND, SoundJudge, failures

from rlpa_bench.testing import ConformanceError, check_judge, examine
from rlpa_bench.types import TurnSubject, Verdict


class Percent(SoundJudge):
    """Judges in percent what it declared from 0 to 5."""

    async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
        verdicts = await super().judge(subject)
        return {**verdicts, "fit": Verdict(10 * (verdicts["fit"].value or 0))}


@pytest.mark.parametrize("kind", SOUND)
def test_sound_plugins_pass(kind: str) -> None:
    assert failures(kind, SOUND[kind]) == {}


def test_check_functions_raise_with_the_whole_report() -> None:
    said = r"judge 'sound' does not conform:\n  scales: .*outside \[0, 5\]"
    with pytest.raises(ConformanceError, match=said) as error:
        check_judge(Percent, says="a 4")
    assert len(error.value.report.results) == 13 and len(error.value.report.failed) == 1
    assert check_judge(SoundJudge, says="a 4").failed == []


def test_a_check_can_be_skipped_with_a_reason_that_is_shown() -> None:
    report = examine("judge", Percent, says="a 4", skip={"scales": "told in percent"})
    assert not report.failed and "-      scales: told in percent" in str(report)


def test_a_promise_that_is_not_made_is_not_checked() -> None:
    class Honest(SoundJudge):
        """Varies, and says so."""

        deterministic = False
        said = 0

        async def judge(self, subject: TurnSubject) -> Mapping[str, Verdict]:
            Honest.said += 1
            return {**await super().judge(subject), "fit": Verdict(float(Honest.said % 6))}

    report = examine("judge", Honest, says="a 4")
    assert not report.failed and "-      deterministic: it does not promise to be" in str(report)
