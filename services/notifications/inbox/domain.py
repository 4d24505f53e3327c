"""What may not be read in an inbox: what is another's."""

from shared.refusal import NotFound


class NotYourNotice(NotFound):
    """No notice of the reader's has this id."""
