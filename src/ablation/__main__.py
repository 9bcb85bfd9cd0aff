"""``python -m ablation``: see `ablation.cli.entry`."""

from ablation.cli.entry import run

if __name__ == "__main__":
    run()
