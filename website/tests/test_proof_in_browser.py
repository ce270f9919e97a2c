"""W22: what a browser says about a record is what `lottery verify` says, check by check. The tests themselves are in js/."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from website import proof
from website.proof import build

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VERIFY = proof.SCRIPTS
NOBLE = "1cc4df98a47219693c860091222dc74f2843902101d21bd3588cda0995e5ff79"
"""SHA-256 of the bundle that scripts/vendor_js makes."""
VERSIONS = ("@noble/curves@2.4.0", "@noble/hashes@2.4.0")
PATIENCE_S = 240
NODE_IS_HERE = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not here")


def node(*files: str, corpus: Path) -> str:
    """Run tests of js/; what they print, when one of them fails, is the error."""
    asked = ["node", "--test", "--test-reporter=spec", *files]
    done = subprocess.run(
        asked,
        cwd=HERE / "js",
        env={**os.environ, "PROOF_CORPUS": str(corpus)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_corpus(path: Path, *options: str) -> Path:
    subprocess.run([sys.executable, HERE / "proof_corpus.py", path, *options], check=True, timeout=PATIENCE_S)
    return path


@pytest.mark.javascript
@NODE_IS_HERE
def test_w22_the_browser_agrees_with_the_program(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus.jsonl", "--random", "60", "--spoiled", "240")
    said = node(*sorted(path.name for path in (HERE / "js").glob("*.test.js")), corpus=corpus)
    assert "fail 0" in said and "skipped 0" in said


@pytest.mark.long
@pytest.mark.javascript
@NODE_IS_HERE
@pytest.mark.parametrize("part", range(10))
def test_w22_the_browser_agrees_on_ten_thousand_records(part: int, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus.jsonl", "--random", "500", "--spoiled", "500", "--seed", f"long {part}")
    assert "fail 0" in node("agreement.test.js", corpus=corpus)


def test_the_bundle_is_the_one_that_was_made_from_named_versions() -> None:
    assert hashlib.sha256((VERIFY / "vendor" / "noble.js").read_bytes()).hexdigest() == NOBLE
    script = (ROOT / "scripts" / "vendor_js").read_text(encoding="utf-8")
    first = (VERIFY / "vendor" / "noble.js").read_text(encoding="ascii").splitlines()[0]
    licence = (VERIFY / "vendor" / "LICENSE.txt").read_text(encoding="utf-8")
    for version in VERSIONS:
        assert version in script and version in first
        assert f"==== {version.rpartition('@')[0]}" in licence
    assert licence.count("The MIT License") == len(VERSIONS)


def test_the_scripts_hold_under_a_strict_policy_and_stand_for_themselves() -> None:
    for path in sorted(VERIFY.glob("*.js")):
        code = path.read_text(encoding="utf-8")
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|document\.write|\.style\b", code), path.name
        imports = re.findall(r'^import .* from "(.*)";$', code, re.MULTILINE)
        assert all(name.startswith("./") and (VERIFY / name).is_file() for name in imports), path.name


def test_the_page_of_one_file_is_what_the_scripts_make_today() -> None:
    assert proof.PAGE.read_text(encoding="utf-8") == build.page(), "python -m website.proof writes it anew"
    text = proof.PAGE.read_text(encoding="utf-8")
    assert not re.search(r"""\son\w+=|(?:src|href)=["']|unsafe-""", text[: text.index("<script>")])


def test_what_is_published_is_what_is_served() -> None:
    named = {each.name: each.sha256 for each in proof.scripts()}
    assert named["vendor/noble.js"] == NOBLE
    assert set(named) == {path.relative_to(VERIFY).as_posix() for path in VERIFY.rglob("*.js")}
    assert proof.page().sha256 == hashlib.sha256(proof.PAGE.read_bytes()).hexdigest()
    assert proof.page().size == proof.PAGE.stat().st_size


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ({"offline.js": 'import { a } from "./a.js";\n', "a.js": 'import { b } from "./offline.js";\n'}, "a circle"),
        ({"offline.js": "export default 1;\n"}, "another form"),
        ({"offline.js": 'import "./a.js";\n', "a.js": ""}, "another form"),
        ({"offline.js": 'const a = "</script>";\n'}, "ends the page's script"),
    ],
)
def test_a_module_that_cannot_stand_in_one_file_is_refused(modules: dict[str, str], why: str, tmp_path: Path) -> None:
    for name, code in modules.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    with pytest.raises(build.NotSoWritten, match=why):
        build.page(tmp_path)
