"""RLPA's response gate as a model judges it, and the variant that its training used."""

from .judge import CRITERIA, GateInferredJudge, GateJudge, GateOptions

__all__ = ["CRITERIA", "GateInferredJudge", "GateJudge", "GateOptions"]
