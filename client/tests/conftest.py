"""Makes this folder's modules importable however the tests are started."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]
