"""Makes the running environment one in which stock OpenRLHF runs on a CPU: ``python install.py``, once.

A ``.pth`` file puts the compatibility module and the stand-in for flash-attn on the path of every interpreter of this
environment; they do nothing unless ``OPENRLHF_CPU=1``.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

if __name__ == "__main__":
    place = Path(sysconfig.get_path("purelib")) / "openrlhf_cpu.pth"
    place.write_text(f"{Path(__file__).parent / 'shims'}\nimport openrlhf_cpu\n", encoding="utf-8")
    print(place)
