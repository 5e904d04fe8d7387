"""``python -m quern.cli``."""

from quern.cli import main

if __name__ == "__main__":
    main()
