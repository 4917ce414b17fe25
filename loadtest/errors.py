"""What a person who starts a load test can mend."""


class LoadTestError(Exception):
    """The test cannot run with these options; the message names the wrong option or file and the remedy."""
