"""Errors people see, each one sentence saying what, where and how to mend.

    RlpaBenchError             exit code 2
    ├── UsageError             a wrong flag, option, name or file
    │   ├── PluginError        unknown, duplicate, broken or unusable plugin
    │   └── DataError          a data file that is missing, corrupt or malformed
    ├── RunDirectoryError      a run directory that is locked, of another version or configuration
    └── BoundaryError          something outside the harness failed; data, not a crash (exit code 1)
        ├── ProviderError      a model endpoint or engine
        ├── SimulatorError     the simulated (or human) user
        └── JudgeError         a judge

Anything else that escapes is a bug and shows its traceback.
"""


class RlpaBenchError(Exception):
    """Base of every error that is shown to people as one sentence."""

    exit_code = 2


class UsageError(RlpaBenchError):
    """The request itself is wrong."""


class PluginError(UsageError):
    """A plugin is unknown, declared twice, broken, or lacks what it requires."""


class DataError(UsageError):
    """A data file is missing, corrupt or malformed."""


class RunDirectoryError(RlpaBenchError):
    """A run directory cannot be used for what was asked."""


class BoundaryError(RlpaBenchError):
    """Something outside the harness failed; becomes a status on the record, never a score of 0.

    Attributes:
        retryable: whether the same call may succeed later.
        retry_after: seconds the other side asked to wait, or None.
        reason: a short stable word for counting, such as ``"429"`` or ``"timeout"``.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, reason: str = "error", retryable: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retryable = retryable
        self.retry_after = retry_after


class ProviderError(BoundaryError):
    """A model endpoint or engine failed to answer."""


class SimulatorError(BoundaryError):
    """The user side failed to answer."""


class JudgeError(BoundaryError):
    """A judge failed to give a verdict."""
