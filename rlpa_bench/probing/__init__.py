"""General capability of a run's models, measured by lm-eval and put beside alignment.

:mod:`~rlpa_bench.probing.probe` measures, :mod:`~rlpa_bench.probing.results` keeps it in the run's folder,
:mod:`~rlpa_bench.probing.lm` is a model of ours as lm-eval wants it; ``tasks/`` ships a task that needs no network.
"""
