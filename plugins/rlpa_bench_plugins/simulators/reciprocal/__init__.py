"""The user who gives for what they get: a second rule-based simulator, different in kind from ``agenda``."""

from .simulator import ReciprocalOptions, ReciprocalSimulator

__all__ = ["ReciprocalOptions", "ReciprocalSimulator"]
