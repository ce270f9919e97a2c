"""What the simulated Steam says no to."""


class Refused(Exception):
    """Steam's refusal, `code` being its result number (EResult): 15 access denied, 25 limit, 26 item gone, ...

    `text` is a sentence that Steam shows instead of the number; None for the usual sentence with the number, which for some
    numbers names the `partner`.
    """

    def __init__(self, code: int, text: str | None = None, partner: str | None = None) -> None:
        super().__init__(text or f"({code})")
        self.code = code
        self.text = text
        self.partner = partner


class NotFound(Exception):
    """The control API was asked for something that this world does not have."""


class BadRequest(Exception):
    """The control API was sent something it cannot read; the message says what."""
