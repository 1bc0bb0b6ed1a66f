"""The reference trainer: PPO that rewards a policy for getting to know its user (RLPA, arXiv 2505.15456).

It stands on the benchmark's own environment, contract and judges, through their public names; nothing here is
imported by the core or by the bundled plugins.
"""
