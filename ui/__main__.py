"""`python -m ui`: the command line, for processes that start it by the interpreter."""

from ui.cli import app

if __name__ == "__main__":
    app()
