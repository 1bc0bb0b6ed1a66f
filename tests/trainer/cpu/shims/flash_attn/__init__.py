"""Stands in for flash-attn, which needs a GPU to be built: OpenRLHF imports its padding helpers whatever attention
it uses. Attention itself is torch's own. For tests only."""

__version__ = "2.8.3"
