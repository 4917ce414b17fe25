"""What a person who starts a load test can mend."""


class LoadTestError(Exception):
    """The test cannot run as asked; the message says which option or file is wrong and what to do."""
