"""A process that counts its memory blocks: on SIGUSR2 it writes their number to the file that ``COUNT_BLOCKS_IN`` names.

Python imports this module at the start of an interpreter with this folder on its path.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path


def _count(*_: object) -> None:
    gc.collect()
    target = Path(os.environ["COUNT_BLOCKS_IN"])
    partial = target.with_suffix(".partial")
    partial.write_text(str(sys.getallocatedblocks()))
    partial.replace(target)


signal.signal(signal.SIGUSR2, _count)
