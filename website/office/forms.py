"""The form of an operation: its own fields, and the reason that stands in the log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from lottery import encoding

from website.office import fields
from website.office.operation import Args, Operation, RefusedError
from website.office.operations import WHY_MAX

REASON, CODE, STEP, SEEN = "why", "code", "step", "seen"


class OperationForm(forms.Form):
    """`given` are the values of the link or of what was sent."""

    def __init__(self, operation: Operation, given: Args, sent: Any = None) -> None:
        super().__init__(data=sent, initial=None if sent is not None else given)
        self.operation = operation
        self.fields.update(operation.fields(given))
        for name, value in given.items():
            if name in self.fields and sent is None:
                self.fields[name].initial = value
        self.fields[REASON] = forms.CharField(
            max_length=WHY_MAX, label=gettext_lazy("Why"), help_text=gettext_lazy("It stands in the staff log.")
        )

    @property
    def args(self) -> Args:
        """What was filled in, as plain JSON; only after `is_valid`."""
        return fields.plain({name: value for name, value in self.cleaned_data.items() if name != REASON})  # type: ignore[no-any-return]

    @property
    def why(self) -> str:
        return str(self.cleaned_data[REASON])

    def refused(self, error: RefusedError) -> None:
        """Says it at the field that it is about, or above the form."""
        self.add_error(error.field if error.field in self.fields else None, str(error))


def mark(args: Args) -> str:
    """Tells whether what is sent is what was looked at."""
    return encoding.sha256(encoding.canonical_json(args)).hex()
