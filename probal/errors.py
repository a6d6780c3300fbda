"""The one exception a user is meant to read."""


class UserError(Exception):
    """A user's mistake, told in one line: what was wrong, what was expected, what to do.

    The command line prints the message and exits with 2, a page shows it in place, the API answers 400 with
    it. Nothing has been written when it is raised.
    """
