"""`python -m lottery` is the same as `lottery`."""

import sys

from lottery.cli import main

if __name__ == "__main__":
    sys.exit(main())
