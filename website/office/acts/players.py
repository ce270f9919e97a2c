"""Players: nobody is edited; somebody is blocked or let go on, given coins, or kept from playing because they asked for it."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from website.accounts.models import Player
from website.care import services as care
from website.ledger import services as ledger
from website.ledger.models import Entry
from website.office import fields
from website.office.operation import MONEY, PLAIN, Acting, Args, Operation, Plan, RefusedError
from website.office.roles import MONEY as MONEY_ROLE
from website.office.roles import SUPPORT

WHO = frozenset((SUPPORT,))
FOR_GOOD = "0"


def _player(args: Args) -> Player:
    row = Player.objects.filter(id=args["player"]).first()
    if row is None:
        raise RefusedError(f"there is no player {args['player']}")
    return row


def _target(player: Player) -> str:
    return f"player {player.id}"


def _block_plan(args: Args) -> Plan:
    player = _player(args)
    meaning = (_("New bets and purchases are refused. Withdrawals are not touched, and bets that were placed stay."),)
    return Plan(_target(player), {"blocked_why": player.blocked_why}, {"blocked": True}, meaning)


def _block(args: Args, acting: Acting) -> None:
    Player.objects.filter(id=_player(args).id).update(blocked_why=acting.why)


def _lift_plan(args: Args) -> Plan:
    player = _player(args)
    if not player.blocked_why:
        raise RefusedError(_("This player is not blocked."))
    return Plan(_target(player), {"blocked_why": player.blocked_why}, {"blocked": False}, (_("They may bet again."),))


def _lift(args: Args, _acting: Acting) -> None:
    Player.objects.filter(id=_player(args).id).update(blocked_why="")


def _coins_plan(args: Args) -> Plan:
    player, cents = _player(args), args["cents"]
    has = ledger.balance(ledger.wallet(player.id))
    if cents == 0:
        raise RefusedError(_("Nothing would move."), "cents")
    if has + cents < 0:
        raise RefusedError(_("They have not got so many coins."), "cents")
    return Plan(
        _target(player), {"coins": has}, {"coins": has + cents}, (_("Play coins are no money; the entry names you both."),)
    )


def _coins(args: Args, acting: Acting) -> None:
    cents, owner = args["cents"], ledger.wallet(_player(args).id)
    who = f"staff {acting.by.username}, {acting.other.username}"
    wanted = ledger.Wanted(acting.ref, Entry.GRANT, who, {ledger.MINT: -cents, owner: cents}, acting.why)
    try:
        ledger.post(wanted, acting.now_ms)
    except ledger.LedgerError as error:
        raise RefusedError(str(error)) from None


def _exclude_plan(args: Args) -> Plan:
    player = _player(args)
    until = _("for good") if args["days"] == FOR_GOOD else _("for %(days)s days") % {"days": args["days"]}
    meaning = (
        _("From now on they place no bet, %(until)s. They can still take everything home.") % {"until": until},
        _("Nobody can end it early: not they, not you."),
    )
    return Plan(_target(player), {}, {"excluded_days": int(args["days"]) or None}, meaning)


def _exclude(args: Args, acting: Acting) -> None:
    try:
        care.exclude(_player(args), int(args["days"]) or None, acting.now_ms)
    except care.CareError as error:
        raise RefusedError(error.code) from None


def _one(_given: Args) -> dict[str, forms.Field]:
    return {"player": fields.Number()}


def _coin_fields(given: Args) -> dict[str, forms.Field]:
    amount = fields.Cents(least=None, label=gettext_lazy("Coins"), help_text=gettext_lazy("Below zero takes them away."))
    return {**_one(given), "cents": amount}


def _exclude_fields(given: Args) -> dict[str, forms.Field]:
    days = [(str(each), str(each)) for each in care.EXCLUSION_DAYS]
    field = forms.ChoiceField(choices=[*days, (FOR_GOOD, gettext_lazy("for good"))], label=gettext_lazy("Days"))
    return {**_one(given), "days": field}


OPERATIONS = (
    Operation(
        "block_player", gettext_noop("Block a player's bets"), WHO, 1, PLAIN, _block_plan, _block, _one, "office:players"
    ),
    Operation("lift_block", gettext_noop("Let a player bet again"), WHO, 2, PLAIN, _lift_plan, _lift, _one, "office:players"),
    Operation(
        *("exclude_player", gettext_noop("Record a self-exclusion"), WHO, 1, PLAIN),
        *(_exclude_plan, _exclude, _exclude_fields, "office:players"),
    ),
    Operation(
        *("adjust_coins", gettext_noop("Give or take play coins"), frozenset((MONEY_ROLE,)), 2, MONEY),
        *(_coins_plan, _coins, _coin_fields, "office:players"),
    ),
)
