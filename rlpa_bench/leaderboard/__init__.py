"""Leaderboards: submissions whose numbers are recomputed from their transcripts, and the files that show them.

A submission is one system in one run. ``prepare`` packs it, ``validate`` recomputes it, ``store`` keeps it beside an
append-only history, ``board`` and ``render`` make tables, pages and exports of whatever the history leaves standing.
"""
