"""Lets `python -m ordermill` do what the console script does."""

from ordermill.cli import main

if __name__ == "__main__":
    main()
