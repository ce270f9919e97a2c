"""Steam's own sentences for refusals that have one, and the number behind each.

Whether a `strError` carries the sentence or the usual one with a number depends on the reason and has changed over the
years: `refusal_words` and `offer_limit_says` choose. Sentences are quoted where a public source quotes them:
node-steam-tradeoffer-manager `lib/helpers.js`, TF2Autobot `src/classes/Trades.ts`, alex7kom/node-steam-tradeoffers#226.
A rest that no source quotes is the sandbox's own and marked so.
"""

from sandbox.errors import Refused
from sandbox.settings import SandboxSettings
from sandbox.world.accounts import Account

ACCESS_DENIED, INSUFFICIENT_PRIVILEGE, LIMIT_EXCEEDED, CANNOT_TRADE_WITH = 15, 24, 25, 50
PROFILE_CHANGED = 34

NEW_DEVICE = (
    "You have logged in from a new device. In order to protect the items in your inventory, "
    "you will be unable to trade from this device for 7 days."
)
BANNED = "You cannot trade with {name} because they have a trade ban."
UNAVAILABLE = "{name} is not available to trade. More information will be shown to {name} if they invite you to trade."
WRONG_TOKEN = "This Trade URL is no longer valid for sending a trade offer to {name}."  # noqa: S105 - a sentence
FRIENDS_ONLY = "Trade offers can only be sent to friends."  # quoted as far as "can only be sent to friends"
PRIVATE = '{name}\'s inventory privacy is set to "Private", so you cannot ask for items of it.'  # quoted up to the comma
TOO_MANY = (
    "You have sent too many trade offers, or have too many outstanding trade offers with {name}. "
    "Please cancel some before sending more."
)
WITH_A_NAME = frozenset({CANNOT_TRADE_WITH, PROFILE_CHANGED})
"""Numbers whose sentence names the partner: "…<br><br>You cannot trade with XXX. (50)"."""


def in_german(refused: Refused) -> str:
    """As whose client names no language may read it: Steam's sentences are of no use then. The words are the sandbox's own."""
    sentence = "Bei diesem Handelsangebot ist ein Fehler aufgetreten. Bitte versuchen Sie es später erneut."
    return sentence if refused.text else f"{sentence} ({refused.code})"


def _refused(rules: SandboxSettings, code: int, sentence: str, partner: Account | None = None) -> Refused:
    text = sentence.format(name=partner.name if partner else "")
    return Refused(code, text if rules.refusal_words == "sentences" else None)


def new_device(rules: SandboxSettings) -> Refused:
    """This account may not trade yet."""
    return _refused(rules, INSUFFICIENT_PRIVILEGE, NEW_DEVICE)


def banned(rules: SandboxSettings, partner: Account) -> Refused:
    """The partner has a trade ban."""
    return _refused(rules, ACCESS_DENIED, BANNED, partner)


def unavailable(rules: SandboxSettings, partner: Account) -> Refused:
    """The partner may not trade for now; Steam does not tell others why."""
    return _refused(rules, ACCESS_DENIED, UNAVAILABLE, partner)


def renamed(partner: Account) -> Refused:
    """The partner has changed the name lately."""
    return Refused(PROFILE_CHANGED, partner=partner.name)


def not_allowed(rules: SandboxSettings, partner: Account, token: str | None) -> Refused:
    """Neither friends nor the right trade token."""
    return _refused(rules, ACCESS_DENIED, FRIENDS_ONLY if token is None else WRONG_TOKEN, partner)


def private(rules: SandboxSettings, partner: Account) -> Refused:
    """Items are asked for that nobody may see."""
    return _refused(rules, ACCESS_DENIED, PRIVATE, partner)


def too_many(rules: SandboxSettings, partner: Account) -> Refused:
    """More than five offers to this partner, or thirty in all: the same words for both."""
    if rules.offer_limit_says == "sentence":
        return Refused(LIMIT_EXCEEDED, TOO_MANY.format(name=partner.name))
    code = int(rules.offer_limit_says)
    return Refused(code, partner=partner.name if code in WITH_A_NAME else None)
