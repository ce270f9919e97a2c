"""Makes the factories importable however the tests are started, and keeps Hypothesis repeatable and quick.

With NO_SHRINK in the environment a failing example is not made smaller: scripts/mutate wants to know only whether there is one.
"""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "scripts")]

PHASES = (Phase.explicit, Phase.generate) if os.environ.get("NO_SHRINK") else tuple(Phase)
settings.register_profile(
    "lottery", deadline=None, derandomize=True, max_examples=60, phases=PHASES, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lottery")
