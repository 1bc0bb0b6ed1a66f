"""The plugin API's version, what is public, and how a name leaves it.

The version is that of the interface which plugins rely on, not the package's: its first number rises when something
a plugin may use is changed or taken away, its second when something is added. A plugin module may say
``rlpa_bench_api = "1.0"``, the version it was written for; another first number, or a second one above ours, keeps
it from loading, with a sentence. What is deprecated warns for one minor version and is gone in the next.
"""

from __future__ import annotations

import warnings

API_VERSION = "1.0"

PUBLIC: dict[str, tuple[str, ...]] = {
    "rlpa_bench": (),
    "rlpa_bench.types": (),
    "rlpa_bench.interfaces": (),
    "rlpa_bench.options": (),
    "rlpa_bench.errors": (),
    "rlpa_bench.hookspecs": (),
    "rlpa_bench.testing": (),
    "rlpa_bench.alignment": (),
    "rlpa_bench.matching": (
        "Match", "Matcher", "match_profiles", "match_items", "match_weighted", "released_f1", "resolve",
    ),
    "rlpa_bench.statistics": (),
    "rlpa_bench.build": ("Candidate", "Harness", "parse_options"),
    "rlpa_bench.contract": ("Contract", "Parsed"),
    "rlpa_bench.environment": ("DialogueEnv", "Scored"),
    "rlpa_bench.ontology": ("Ontology",),
    "rlpa_bench.plugins": ("Offer", "Plugins", "Problem"),
    "rlpa_bench.randomness": ("Draws",),
}  # fmt: skip
"""Module -> its public names; none means every name of its own without an underscore. All else may change any day."""


class ApiDeprecationWarning(DeprecationWarning):
    """Something of the plugin API is used that the next minor version no longer has."""


def deprecated(old: str, instead: str, *, since: str) -> None:
    """Warns whoever uses ``old`` to use ``instead``; call it where the old name is still answered.

    Args:
        since: the API version that first warned.

    Raises:
        AssertionError: when the version that warned is over, so that a forgotten name fails the tests.
    """
    gone = _next_minor(since)
    assert _numbers(API_VERSION) < _numbers(gone), f"{old} was to be gone in plugin API {gone}: remove it"
    warnings.warn(
        f"{old} is deprecated since plugin API {since} and gone in {gone}; use {instead}",
        ApiDeprecationWarning,
        stacklevel=3,
    )


def mismatch(wanted: object) -> str:
    """Why a plugin that was written for API version ``wanted`` cannot be used with this one; empty if it can."""
    try:
        major, minor = _numbers(str(wanted))
    except ValueError:
        return f"rlpa_bench_api is {wanted!r}; write MAJOR.MINOR, such as {API_VERSION!r}"
    ours = _numbers(API_VERSION)
    if major != ours[0]:
        return f"was written for plugin API {wanted}, this is {API_VERSION}; install a version of it that fits"
    return f"needs plugin API {wanted}, this is {API_VERSION}; upgrade rlpa-bench" if minor > ours[1] else ""


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def _next_minor(version: str) -> str:
    major, minor = _numbers(version)
    return f"{major}.{minor + 1}"
