"""``python -m ablation``: see `ablation.cli.entry`."""

import sys

from ablation.support.handover import hand_over

if __name__ == "__main__":
    status = hand_over(sys.argv[1:])  # before anything else is imported
    if status is None:
        from ablation.cli.entry import run

        run()
    sys.exit(status)
