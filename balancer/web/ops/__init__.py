"""`/ops`: the page on which operators see the fleet and act, signed in through Steam and with a one-time code.

It adds no way to change anything: what is done here is done by the functions that the API and the commands call, as
``ops:NAME``. Nobody comes here before `[ops] operators` names somebody.
"""
