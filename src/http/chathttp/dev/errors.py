"""Why the development environment cannot start."""


class DevError(Exception):
    """The message is one line for the terminal: what is wrong and what to do about it."""
