"""``python -m rlpa_bench`` is the command ``rlpa-bench``."""

from rlpa_bench.cli.main import main

if __name__ == "__main__":
    main()
