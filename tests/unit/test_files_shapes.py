"""Files that people hand over, in other shapes than expected: each reader's own error only, and no value in its words."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from odd_shapes import check, odd_text

from bot_worker.credentials import ma_files, tables, wire_keys
from shared.errors import VaultError

SECRET = base64.b64encode(b"s" * 20).decode()
MA_FILE = {
    "shared_secret": SECRET,
    "identity_secret": SECRET,
    "account_name": "botone",
    "device_id": "android:x",
    "Session": {"SteamID": 76561198000000001, "AccessToken": "eyJ"},
}
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
KEYS = [{"bot": "red-1", "order": KEY, "report": KEY}, {"bot": "red-2", "order": KEY, "report": KEY}]
TABLE = f"""bot,account_name,password,steam_id,shared_secret,identity_secret,proxy
red-1,botone,word,76561198000000001,{SECRET},{SECRET},http://203.0.113.9:80
red-2,bottwo,word,76561198000000002,{SECRET},{SECRET},
"""
PASSWORDS = "account_name,password\nbotone,word\nbottwo,word\n"


@st.composite
def odd_table(draw: st.DrawFn, good: str) -> bytes:
    """A CSV file in which cells, lines and signs are other than expected."""
    lines = [line.split(",") for line in good.splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        line = draw(st.sampled_from(lines))
        how = draw(st.sampled_from(["cell", "cell", "missing", "doubled", "line", "lines", "sign"]))
        at = draw(st.integers(0, max(len(line) - 1, 0)))
        if how == "cell" and line:
            line[at] = draw(
                st.text(max_size=9) | st.sampled_from(["9" * 5000, '"', "\x00", "http://[", "http://x:99999", "-1"])
            )
        elif how == "missing" and line:
            del line[at]
        elif how == "doubled" and line:
            line.insert(at, line[at])
        elif how == "line":
            lines.append(list(line))
        elif how == "lines":
            lines.extend([list(line)] * 40)
        else:
            line.append(draw(st.sampled_from(["\ud800", "\u2028", '"a', "x" * 140_000, "\r"])))
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(",".join(line) for line in lines)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])), "surrogatepass")


READERS: dict[str, tuple[bytes, st.SearchStrategy[bytes], Callable[[Path], Any]]] = {
    "maFile": (json.dumps(MA_FILE).encode(), odd_text(MA_FILE), ma_files.read_ma_file),
    "keys": (json.dumps(KEYS).encode(), odd_text(KEYS), wire_keys.read_keys),
    "CSV": (TABLE.encode(), odd_table(TABLE), tables.read_csv),
    "passwords": (PASSWORDS.encode(), odd_table(PASSWORDS), tables.read_passwords),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_any_shape_is_refused_in_words(reader: str, shapes: int, tmp_path: Path) -> None:
    good, strategy, read_file = READERS[reader]
    path = tmp_path / "botone.maFile"
    path.write_bytes(copy.copy(good))
    read_file(path)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        try:
            found = read_file(path)
        except VaultError as error:
            assert str(path) in error.detail and SECRET not in error.detail and KEY not in error.detail
        else:
            json.dumps(repr(found)).encode()

    assert check(strategy, read, shapes) >= shapes


@pytest.mark.parametrize(
    "text",
    [
        TABLE.partition("\n")[2],  # without its header
        TABLE.replace("proxy\n", '"proxy\n', 1).replace(":80\n", ':80"\n', 1),  # a quote that swallows a line
        TABLE.replace("proxy\n", f"{SECRET},{SECRET}\n", 1),
        TABLE.replace("proxy\n", f"proxy,{SECRET}\n", 1),
    ],
)
def test_what_stands_where_the_header_should_be_is_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "bots.csv").write_text(text.replace(",word,", ",hunter2,"))
    with pytest.raises(VaultError) as refused:
        tables.read_csv(tmp_path / "bots.csv")
    said = refused.value.detail
    assert "line 1: the header must name bot, account_name" in said
    assert SECRET[:8] not in said and "hunter2" not in said and "botone" not in said and "7656" not in said
