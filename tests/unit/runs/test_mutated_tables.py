"""Two thousand mutated tables: each is read or refused, and nothing else happens."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import scaling_bayes as sb
from scaling_bayes.errors import ScalingBayesError

pytestmark = [
    pytest.mark.slow,
    # What a table makes doubtful is said, and is no refusal.
    pytest.mark.filterwarnings("ignore::scaling_bayes.errors.ScalingBayesWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded as Linux does it"),
]

MORE_MEMORY = 2 * 1024**3
"""Bytes of address space that reading may take beyond what the tests have."""
SIDE_EFFECTS = (
    "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree",
)  # fmt: skip

_watching: list[str] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not _watching:
        return
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event in SIDE_EFFECTS:
        _watching.append(f"{event} {arguments[:2]}")


sys.addaudithook(_audit)


@contextmanager
def nothing_else() -> Iterator[None]:
    """Fail if a process, a connection or a file is made; bound the memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MORE_MEMORY, hard))
    _watching[:] = ["watching"]
    try:
        yield
    finally:
        happened = _watching[1:]
        _watching.clear()
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert not happened


TABLE = (
    "n_params,tokens,flops,loss,group,seed,weight,lr\n"
    "70M,1.4B,5.88e17,3.7,a,0,1,0.003\n"
    "400M,8B,1.92e19,3.1,a,1,2,0.002\n"
    "1B,20B,1.2e20,2.9,b,0,1,0.001\n"
    "7B,140B,5.88e21,2.35,b,1,1,0.0005\n"
    '13B,260B,2.028e22,2.2,"b, c",0,1,0.0003\n'
)
SCARY = (
    "nan", "-inf", "1e999", "-1", "0", "1e-320", "9" * 400, "0x10", "1_000", "\u0667B", "7 B",
    "=1+1", "@x", '"', '""', "'", ",", ";", "\t", "\n", "\r", "\x00", "\ufeff", "\u202e",
    "\x1b[31m", "$x$", "../../etc/passwd", "__class__", "7B7", "B", "1.2.3", "1,5",
    "[1]", "{}", "true", "NA",
)  # fmt: skip
places = st.integers(0, len(TABLE) - 1)
edits = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), places, places),
        st.tuples(st.just("copy"), places, places),
        st.tuples(st.just("insert"), places, st.sampled_from(SCARY)),
        st.tuples(st.just("insert"), places, st.text(max_size=3)),
    ),
    min_size=1,
    max_size=4,
)


def edited(text: str, made: list[tuple[str, int, int | str]]) -> str:
    for kind, at, what in made:
        if isinstance(what, str):
            text = text[:at] + what + text[at:]
        else:
            first, last = sorted((at, what))
            text = text[:first] + text[first if kind == "copy" else last :]
            if kind == "copy":
                text = text[:last] + text[first:last] + text[last:]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
@example([("insert", 9, "../../etc/passwd"), ("insert", 0, "../../etc/passwd")])
@given(edits)
def test_a_mutated_table_is_read_or_refused(folder, made):
    path = folder / "runs.csv"
    path.write_text(edited(TABLE, made), encoding="utf-8", errors="surrogatepass", newline="")
    with nothing_else():
        try:
            runs = sb.read_runs(path)
        except ScalingBayesError as error:
            refusal = str(error)
        else:
            refusal = None
    if refusal is not None:
        assert "runs.csv" in refusal
        return
    assert len(runs)
    assert runs.sizes
    assert (runs.frame[[*runs.sizes, "loss"]] > 0).all(axis=None)
