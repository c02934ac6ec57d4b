"""`python -m gazecrop`: the same as the command `gazecrop`."""

import sys

from gazecrop.cli import main

if __name__ == "__main__":
    sys.exit(main())
