"""What a recipe names, built: the environment, the users to train on and those set apart, the rewards."""

from __future__ import annotations

from functools import cached_property

from reference_trainer.executor import Dev, Limits
from reference_trainer.recipe import PpoRecipe
from reference_trainer.rewards import Rewards
from reference_trainer.users import Users
from rlpa_bench.build import Harness, parse_options
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import UsageError
from rlpa_bench.plan import with_turns
from rlpa_bench.types import Case


class Setting:
    """The components of a training run in this process.

    Args:
        shares: among how many processes the calls at a time are shared (the engines).
    """

    def __init__(self, recipe: PpoRecipe, *, shares: int = 1) -> None:
        self.recipe = recipe
        self.at_once = max(1, recipe.users.at_once // shares)
        self.harness = Harness(recipe.users.suite, options=parse_options(recipe.options), max_connections=self.at_once)

    @cached_property
    def env(self) -> DialogueEnv:
        """The environment with the judges that reward."""
        return self.harness.environment(self.recipe.users.simulator, self.recipe.reward.judges)

    @cached_property
    def dev_env(self) -> DialogueEnv:
        """The same user, with the judges of the evaluation."""
        judges = self.harness.judges(self.recipe.evaluation.judges)
        return DialogueEnv(self.env.simulator, judges, self.env.contract)

    @cached_property
    def _split(self) -> tuple[list[Case], list[Case]]:
        given = self.recipe.users
        cases = with_turns(self.harness.cases(), given.turns)
        profiles = list(dict.fromkeys(case.cluster for case in cases))
        if given.dev_profiles >= len(profiles):
            raise UsageError(
                f"users.dev_profiles sets {given.dev_profiles} profiles apart, but suite {given.suite} has only "
                f"{len(profiles)}; leave some to train on"
            )
        if self.recipe.credit == "trajectory" and any(len(case.sessions) > 1 for case in cases):
            raise UsageError("credit 'trajectory' keeps the whole history; choose a suite of one session")
        apart = set(profiles[len(profiles) - given.dev_profiles :])
        train = [case for case in cases if case.cluster not in apart]
        dev = {case.cluster: case for case in cases if case.cluster in apart}
        return train[: given.limit], list(dev.values())

    @property
    def cases(self) -> list[Case]:
        """The users to train on."""
        return self._split[0]

    @property
    def dev_cases(self) -> list[Case]:
        """One case of each profile that is set apart."""
        return self._split[1]

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.recipe.rollout.max_new_tokens, self.recipe.rollout.max_length)

    @cached_property
    def users(self) -> Users:
        return Users(self.env, retries=self.recipe.reward.retries)

    @cached_property
    def rewards(self) -> Rewards:
        return Rewards(self.env, retries=self.recipe.reward.retries, at_once=self.at_once)

    @cached_property
    def dev(self) -> Dev | None:
        """Evaluation during training; None where no profile is set apart."""
        if not self.dev_cases:
            return None
        rewards = Rewards(self.dev_env, retries=self.recipe.reward.retries, at_once=self.at_once)
        return Dev(self.dev_cases, Users(self.dev_env, retries=self.recipe.reward.retries), rewards)

    @property
    def turns(self) -> int:
        """Turns of all dialogues of all episodes."""
        return sum(case.turns for case in self.cases) * self.recipe.users.episodes

    @property
    def tickets(self) -> int:
        """Rows of the data set: one per turn, or per dialogue; rounded up to what all ranks can share evenly."""
        by_turn = self.recipe.credit == "turn"
        rows = self.turns if by_turn else len(self.cases) * self.recipe.users.episodes
        unit = self.recipe.unit
        return -(-rows // unit) * unit

    @property
    def steps(self) -> int:
        """Rollout steps."""
        return -(-self.tickets // self.recipe.rollout.batch)
