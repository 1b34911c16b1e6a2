"""`python -m buildhush`."""

import sys

from buildhush.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
