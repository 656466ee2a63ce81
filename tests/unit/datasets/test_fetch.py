"""Where a published table comes from: a folder, the cache or a download that is faked here."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pandas as pd
import pytest

from scaling_bayes.datasets import (
    _chinchilla_fig4,
    _clark_routed,
    _datablations,
    _gadre_overtraining,
    _porian_isoflop,
    _published_table,
    _steplaw_dense,
    fetch_chinchilla_fig4,
)
from scaling_bayes.errors import RunsError

MODULES = (
    _chinchilla_fig4,
    _clark_routed,
    _datablations,
    _gadre_overtraining,
    _porian_isoflop,
    _steplaw_dense,
)
UPSTREAM = b"a,b\n0.1,x\n2,y\n"
TABLE = b"a,b\n0.1,x\n2.0,y\n"


def as_table(files):
    return pd.read_csv(io.BytesIO(files["data/my table.csv"]))


SOURCE = _published_table.Source(
    name="mine",
    repository="me/mine",
    commit="c0ffee",
    paths=("data/my table.csv",),
    sha256=hashlib.sha256(TABLE).hexdigest(),
    convert=as_table,
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder of an empty cache; SCALING_BAYES_DATA is unset."""
    monkeypatch.delenv("SCALING_BAYES_DATA", raising=False)
    folder = tmp_path / "cache" / "scaling_bayes"
    monkeypatch.setattr(_published_table, "_cache", lambda: folder)
    return folder


@pytest.fixture
def served(monkeypatch):
    """Return a dictionary from URL to content, which stands for the network, and the URLs asked."""
    contents: dict[str, bytes] = {SOURCE.url("data/my table.csv"): UPSTREAM}
    asked: list[str] = []

    def download(url):
        asked.append(url)
        return contents[url]

    monkeypatch.setattr(_published_table, "_download", download)
    return contents, asked


@pytest.fixture
def no_network(monkeypatch):
    import pooch
    import requests

    def refuse(self, url, output_file, pooch, check_only=False):
        raise requests.ConnectionError("name resolution failed")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", refuse)


def test_a_table_is_downloaded_from_the_commit_converted_and_kept(cache, served):
    _, asked = served
    path = _published_table.table_file(SOURCE)
    assert path == cache / "mine.csv"
    assert path.read_bytes() == TABLE
    assert asked == ["https://raw.githubusercontent.com/me/mine/c0ffee/data/my%20table.csv"]
    assert _published_table.table_file(SOURCE) == path
    assert len(asked) == 1
    assert os.listdir(cache) == ["mine.csv"]


def test_a_damaged_table_in_the_cache_is_replaced(cache, served):
    cache.mkdir(parents=True)
    (cache / "mine.csv").write_bytes(TABLE[:-4])
    assert _published_table.table_file(SOURCE).read_bytes() == TABLE
    assert len(served[1]) == 1


def test_files_keep_their_paths_whatever_order_they_arrive_in(cache, served):
    paths = tuple(f"{number}.txt" for number in range(40))
    source = replace(SOURCE, paths=paths, convert=lambda files: pd.DataFrame({"a": list(files)}))
    served[0].update({source.url(path): path.encode() for path in paths})
    wanted = "".join(f"{path}\n" for path in ("a", *paths)).encode()
    source = replace(source, sha256=hashlib.sha256(wanted).hexdigest())
    assert _published_table.table_file(source).read_bytes() == wanted


def test_altered_upstream_data_are_refused_and_not_kept(cache, served):
    contents, _ = served
    contents[SOURCE.url("data/my table.csv")] = UPSTREAM.replace(b"2", b"3")
    found = hashlib.sha256(TABLE.replace(b"2", b"3")).hexdigest()
    with pytest.raises(RunsError) as caught:
        _published_table.table_file(SOURCE)
    for part in ("me/mine", "c0ffee", found, SOURCE.sha256, "SCALING_BAYES_DATA", "mine.csv"):
        assert part in str(caught.value)
    assert not cache.exists()


def test_an_upstream_file_of_another_kind_says_so(cache, served):
    contents, _ = served
    contents[SOURCE.url("data/my table.csv")] = b""
    with pytest.raises(
        RunsError, match="mine from me/mine at c0ffee cannot be converted"
    ) as caught:
        _published_table.table_file(SOURCE)
    assert isinstance(caught.value.__cause__, pd.errors.EmptyDataError)


def test_without_a_network_the_error_names_the_url_and_both_remedies(cache, no_network):
    cache.mkdir(parents=True)
    damaged = cache / "mine.csv"
    damaged.write_bytes(b"old")
    with pytest.raises(RunsError) as caught:
        _published_table.table_file(SOURCE)
    for part in (SOURCE.url("data/my table.csv"), "network", "SCALING_BAYES_DATA"):
        assert part in str(caught.value)
    assert damaged.read_bytes() == b"old"
    assert os.listdir(cache) == ["mine.csv"]


@pytest.fixture
def server(monkeypatch):
    """Return the address of a server on this machine that knows one file, ``/table.csv``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/table.csv" else 404)
            self.end_headers()
            self.wfile.write(UPSTREAM)

        def log_message(self, *args):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_a_file_is_downloaded_as_it_is(server):
    assert _published_table._download(f"{server}/table.csv") == UPSTREAM


def test_a_file_that_is_gone_is_named(server):
    with pytest.raises(RunsError, match=r"/other\.csv cannot be downloaded \(404 "):
        _published_table._download(f"{server}/other.csv")


def test_no_network_is_needed_for_a_table_in_the_cache(cache, no_network):
    cache.mkdir(parents=True)
    (cache / "mine.csv").write_bytes(TABLE)
    assert _published_table.table_file(SOURCE).read_bytes() == TABLE


def test_a_cache_that_cannot_be_written_says_what_helps(cache, served):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(RunsError, match=r"mine\.csv cannot be written .*SCALING_BAYES_DATA"):
        _published_table.table_file(SOURCE)


def test_the_folder_of_the_variable_is_used_and_nothing_else(
    cache, no_network, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCALING_BAYES_DATA", str(tmp_path))
    cache.mkdir(parents=True)
    (cache / "mine.csv").write_bytes(TABLE)
    with pytest.raises(RunsError) as caught:
        _published_table.table_file(SOURCE)
    for part in (str(tmp_path / "mine.csv"), "No such file", SOURCE.sha256, "unset"):
        assert part in str(caught.value)
    (tmp_path / "mine.csv").write_bytes(TABLE)
    assert _published_table.table_file(SOURCE) == tmp_path / "mine.csv"


def test_an_altered_file_in_the_folder_is_refused_with_both_hashes(tmp_path, monkeypatch):
    monkeypatch.setenv("SCALING_BAYES_DATA", str(tmp_path))
    altered = b"n_params,tokens,loss\n1e9,2e10,2.5\n"
    (tmp_path / "chinchilla_fig4.csv").write_bytes(altered)
    with pytest.raises(RunsError) as caught:
        fetch_chinchilla_fig4()
    expected = _chinchilla_fig4.SOURCE.sha256
    for part in ("chinchilla_fig4.csv", hashlib.sha256(altered).hexdigest(), expected, "Restore"):
        assert part in str(caught.value)


def test_an_empty_variable_counts_as_unset(cache, served, monkeypatch):
    monkeypatch.setenv("SCALING_BAYES_DATA", "")
    assert _published_table.table_file(SOURCE) == cache / "mine.csv"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.SOURCE.name)
def test_sources_are_pinned_to_a_commit_and_a_hash(module):
    source = module.SOURCE
    assert len(bytes.fromhex(source.commit)) == 20
    assert len(bytes.fromhex(source.sha256)) == 32
    assert len(set(source.paths)) == len(source.paths) > 0
    for path in source.paths:
        assert source.url(path).startswith(
            f"https://raw.githubusercontent.com/{source.repository}/"
        )
        assert f"/{source.commit}/" in source.url(path)


def test_importing_the_datasets_does_not_import_the_downloader():
    script = "import sys, scaling_bayes.datasets; print({'pooch', 'requests'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()"
