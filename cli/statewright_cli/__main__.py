"""``python -m statewright_cli``: the same as the `statewright` command."""

from statewright_cli.main import main

if __name__ == "__main__":
    main()
