"""Names and options -> live components. Names are resolved here, once; nothing in a run sees a plugin manager."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rlpa_bench.cache import CallCache
from rlpa_bench.context import RunContext
from rlpa_bench.contract import Contract
from rlpa_bench.environment import DialogueEnv
from rlpa_bench.errors import PluginError, UsageError
from rlpa_bench.guard import describe, guarded, guarding
from rlpa_bench.interfaces import KINDS, Baseline, Component, Judge, Metric, Model, Simulator, Suite
from rlpa_bench.ontology import Ontology
from rlpa_bench.plugins import Offer, Plugins
from rlpa_bench.redaction import learn
from rlpa_bench.transcripts import describe_invalid
from rlpa_bench.types import Case

OptionTree = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""kind -> name (``*`` for all of that kind, ``name:argument`` for one of several) -> option -> value."""


def parse_options(texts: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Reads ``KIND.option=value``, ``KIND.NAME.option=value`` and ``KIND.NAME:ARGUMENT.option=value``.

    Raises:
        UsageError: for anything of another form.
    """
    tree: dict[str, dict[str, dict[str, Any]]] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        kind, _, rest = path.partition(".")
        name, dot, option = rest.rpartition(".")
        if not equals or not option or f"{kind}s" not in KINDS:
            kinds = ", ".join(k[:-1] for k in KINDS)
            raise UsageError(
                f"option {text!r} is not KIND.option=value or KIND.NAME.option=value with a kind among {kinds}"
            )
        tree.setdefault(f"{kind}s", {}).setdefault(name if dot else "*", {})[option] = _value(value)
    return tree


def _value(text: str) -> Any:
    if text[:1] in "[{":
        import json

        try:
            return json.loads(text)
        except ValueError:
            return text
    return None if text == "null" else text


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is benchmarked: ``model/baseline``, or a control by its own name."""

    name: str
    baseline: Baseline
    model: str = ""
    """The model that really answers: of a trained baseline, its checkpoint."""


class Harness:
    """Builds the components of one run; also the entry for library users who want parts of it.

    Without a suite (``""``) it builds what reads recorded runs, judges and metrics, under the given protocol.

    >>> harness = Harness("aloe", plugins=Plugins())  # doctest: +SKIP
    >>> env = harness.environment("agenda", ["rules", "profile"])  # doctest: +SKIP
    """

    def __init__(
        self,
        suite: str,
        *,
        protocol: str = "",
        plugins: Plugins | None = None,
        options: OptionTree | None = None,
        cache: CallCache | None = None,
        max_retries: int = 5,
        max_connections: int | None = None,
    ) -> None:
        learn()
        self.plugins = plugins or Plugins()
        self.options = options or {}
        self._used: set[tuple[str, str, str]] = set()
        self._built: list[tuple[Offer, Component]] = []
        self._component_options: dict[str, dict[str, Any]] = {}
        offer, argument = self._find("suites", suite) if suite else (None, "")
        self.context = RunContext(
            contract=Contract(),
            ontology=Ontology.load(),
            protocol=cast("type[Suite]", offer.component).protocol if offer else protocol,
            model_factory=self._model,
            cache=cache,
            max_retries=max_retries,
            max_connections=max_connections,
        )
        if offer:
            self.suite = cast(Suite, self._build(offer, argument))
            self.context.contract = self.suite.contract()

    def simulator(self, spec: str) -> Simulator:
        return cast(Simulator, self._make("simulators", spec))

    def judges(self, specs: Sequence[str]) -> list[Judge]:
        if len(set(specs)) < len(specs):
            raise UsageError(f"judges {', '.join(specs)} name one twice; name each once")
        return [cast(Judge, self._make("judges", spec)) for spec in specs]

    def cases(self, limit: int | None = None) -> list[Case]:
        """The suite's cases, or its sample of so many. Raises PluginError if they are none."""
        with guarding(f"suite {self.suite.name!r}"):
            cases = list(self.suite.cases() if limit is None else self.suite.sample(limit))
        if wrong := next((case for case in cases if not isinstance(case, Case)), None):
            raise PluginError(f"suite {self.suite.name!r} returned a {type(wrong).__name__} among its cases")
        return cases

    def metrics(self, specs: Sequence[str] | None = None) -> list[Metric]:
        """The named metrics, or all that can be built here; one that nobody named and that fails is a problem."""
        if specs is not None:
            return [cast(Metric, self._make("metrics", spec)) for spec in specs]
        metrics = []
        for offer in self.plugins.offers("metrics"):
            if not offer.problem:
                self.plugins.find("metrics", offer.name)  # raises where two distributions offer the name
                try:
                    metrics.append(cast(Metric, self._build(offer, "")))
                except PluginError as error:
                    self.plugins.report(offer, str(error))
        return metrics

    def environment(self, simulator: str, judges: Sequence[str] = ()) -> DialogueEnv:
        return DialogueEnv(self.simulator(simulator), self.judges(judges), self.context.contract)

    def candidate(self, spec: str) -> Candidate:
        """A candidate written ``model/baseline``, ``model`` (with ``base``) or the name of a control."""
        model, _, baseline = spec.rpartition("/")
        if baseline.partition(":")[0] not in self._names("baselines") and model not in self._names("models"):
            model, baseline = spec, "base"
        offer, argument = self._find("baselines", baseline)
        component = cast("type[Baseline]", offer.component)
        if component.needs_model and not model:
            raise UsageError(f"baseline {baseline!r} needs a model: write MODEL/{baseline}")
        if not component.needs_model:
            return Candidate(baseline, cast(Baseline, self._build(offer, argument)))
        options = self._options(offer, self._name(offer, argument))
        with guarding(offer.origin):
            options, served = component.resolve(options, model)
        handle = self.context.model(served, "candidate")
        built = self._build(offer, argument, options=options, model=handle)
        return Candidate(f"{model}/{baseline}", cast(Baseline, built), served)

    def controls(self) -> list[str]:
        """Names of the model-free candidates that can run here."""
        offers = [o for o in self.plugins.offers("baselines") if not o.problem]
        return [o.name for o in offers if not cast("type[Baseline]", o.component).needs_model]

    async def aclose(self) -> None:
        """Closes every component and the cache; a component that fails at it is a problem and stops nobody."""
        for offer, component in self._built:
            try:
                await guarded(offer.origin, component.aclose)
            except Exception as error:  # anybody's code; the others still have to be closed
                self.plugins.report(offer, f"closing {offer.kind[:-1]} {offer.name!r} failed: {describe(error)}")
        self._built.clear()
        self.context.endpoints.clear()
        await self.context.aclose()

    def used_options(self) -> dict[str, dict[str, Any]]:
        """``kind/name`` -> every option in force, defaults included."""
        return dict(sorted(self._component_options.items()))

    def check_options(self, given: OptionTree | None = None) -> None:
        """Raises UsageError for an option, of all or of the given ones, that reached no component."""
        for kind, names in (self.options if given is None else given).items():
            for name, values in names.items():
                for option in values:
                    if (kind, name, option) not in self._used:
                        where = f"{kind[:-1]}.{option}" if name == "*" else f"{kind[:-1]}.{name}.{option}"
                        raise UsageError(
                            f"option {where} fits no {kind[:-1]} of this run (rlpa-bench plugins show NAME)"
                        )

    def _names(self, kind: str) -> set[str]:
        return {offer.name for offer in self.plugins.offers(kind)}

    def _find(self, kind: str, spec: str) -> tuple[Offer, str]:
        name, _, argument = spec.partition(":")
        offer = self.plugins.find(kind, name)
        takes = offer.component.takes_argument
        if argument and not takes:
            raise UsageError(f"{kind[:-1]} {name!r} takes nothing after the colon, but got {argument!r}")
        return offer, argument

    def _make(self, kind: str, spec: str) -> Component:
        return self._build(*self._find(kind, spec))

    def _model(self, spec: str) -> tuple[Model, Mapping[str, Any]]:
        offer, argument = self._find("models", spec)
        model = cast(Model, self._build(offer, argument))
        return model, self._component_options[f"models/{self._name(offer, argument)}"]

    def _build(self, offer: Offer, argument: str, *, options: Any = None, **more: Any) -> Component:
        name = self._name(offer, argument)
        options = self._options(offer, name) if options is None else options
        self._component_options[f"{offer.kind}/{name}"] = options.model_dump(mode="json")
        with guarding(offer.origin):
            component = offer.component(options, self.context, argument, **more)
        self._built.append((offer, component))
        return component

    def _options(self, offer: Offer, name: str) -> Any:
        """The validated options of a component. Raises UsageError."""
        try:
            return offer.component.Options(**self._values(offer, name))
        except ValueError as error:
            raise UsageError(f"{offer.kind[:-1]} {offer.name!r}: option {describe_invalid(error)}") from None

    def _name(self, offer: Offer, argument: str) -> str:
        """``name:argument`` where that one has options of its own, so that two roles may use two endpoints."""
        own = f"{offer.name}:{argument}"
        return own if own in self.options.get(offer.kind, {}) else offer.name

    def _values(self, offer: Offer, own: str) -> dict[str, Any]:
        named = self.options.get(offer.kind, {})
        values: dict[str, Any] = {}
        for name in dict.fromkeys(("*", offer.name, own)):
            for option, value in named.get(name, {}).items():
                if option in offer.component.Options.model_fields or name != "*":
                    values[option] = value
                    self._used.add((offer.kind, name, option))
        return values
