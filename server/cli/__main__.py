"""`python -m server.cli` is `nowserving`."""

from server.cli import main

if __name__ == "__main__":
    main()
