"""`python -m omnishot`."""

from omnishot.cli.main import run

if __name__ == "__main__":
    run()
