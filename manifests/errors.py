"""The one exception of the project that speaks to a user."""

from __future__ import annotations


class UserError(Exception):
    """A user's mistake or a bad state of the disk, told in one line.

    The message says what is wrong, where, and how to mend it. Commands print it to stderr
    without a traceback and exit with 1; libraries simply raise it.
    """
