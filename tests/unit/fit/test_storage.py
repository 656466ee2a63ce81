from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import scaling_bayes as sb
from scaling_bayes._fit.storage.fit_file import FORMAT_KEY, SEALED_KEY
from scaling_bayes._inference.coordinates import COORDINATES_KEY
from scaling_bayes._inference.model import model_data
from scaling_bayes.discrepancy import WEIGHT, Smooth
from scaling_bayes.errors import FileFormatError, InputError

EXACT = {"check_exact": True, "check_column_type": False}
USERS_PRIORS = {
    "L_inf": sb.Prior("Truncated", dist=sb.Prior("Normal", mu=1.7, sigma=1 / 3), lower=0),
    "alpha_N": sb.Prior("Gamma", alpha=4, beta=0.1 + 0.2),
}


class OwnLaw(sb.laws.Chinchilla):
    """A law that the package does not ship."""

    name = "own"


@pytest.fixture(scope="module")
def stored(fit: sb.Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit.save(tmp_path_factory.mktemp("fits") / "fit.nc")


def described(fit: sb.Fit, **changed: object) -> sb.Fit:
    """Return a fit of another law, noise, discrepancy or runs, with draws of its priors."""
    parts = {"law": fit.law, "noise": fit.noise, "runs": fit.runs, "discrepancy": None} | changed
    runs = parts.pop("runs")
    fitter = sb.Fitter(parts["law"], noise=parts["noise"], discrepancy=parts["discrepancy"])
    rng, shape = np.random.default_rng(0), (4, 500)
    models = [model for model in parts.values() if model is not None]
    draws = {
        each.name: (("chain", "draw"), each.prior.draw(2000, rng).reshape(shape))
        for model in models
        for each in model.parameters
    }
    if fitter.discrepancy is not None:
        weights = rng.standard_normal((*shape, fitter.discrepancy.n_components))
        draws[WEIGHT] = (("chain", "draw", "component"), weights)
    statistics = {
        "diverging": (("chain", "draw"), np.zeros(shape, dtype=bool)),
        "energy": (("chain", "draw"), rng.standard_normal(shape)),
    }
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset(statistics)}
    )
    data = model_data(runs, fitter.law, fitter.discrepancy)
    return sb.Fit(
        fitter.law, fitter.noise, runs, fitter._described(tree, data, runs), fitter.discrepancy
    )


def opened(path: Path) -> xr.DataTree:
    with xr.open_datatree(path) as tree:
        return tree.load()


def with_attributes(source: Path, target: Path, **changed: object) -> Path:
    tree = opened(source)
    # As one of before there was a checksum: what is changed is to be judged by itself.
    del tree.attrs[SEALED_KEY]
    tree.attrs |= changed
    tree.to_netcdf(target, engine="h5netcdf")
    return target


def test_everything_comes_back_bit_for_bit(fit, stored):
    loaded = sb.load(stored)
    assert loaded.law == fit.law
    assert loaded.noise == fit.noise
    assert set(loaded.data_tree.children) == set(fit.data_tree.children)
    for group, node in fit.data_tree.children.items():
        xr.testing.assert_identical(loaded.data_tree[group].to_dataset(), node.to_dataset())
    pd.testing.assert_frame_equal(loaded.runs.frame, fit.runs.frame, **EXACT)
    assert loaded.runs.source == fit.runs.source
    assert loaded.runs.flops_per_param_token == fit.runs.flops_per_param_token


def test_a_loaded_fit_answers_as_before(fit, stored):
    loaded = sb.load(str(stored))
    assert repr(loaded) == repr(fit)
    pd.testing.assert_frame_equal(loaded.summary().to_frame(), fit.summary().to_frame())
    point = {"n_params": "70B", "tokens": "1.4T", "seed": 1}
    assert loaded.forecast(**point).new_run.equals(fit.forecast(**point).new_run)
    assert {rv.name for rv in loaded.model.free_RVs} == {rv.name for rv in fit.model.free_RVs}


def test_saving_again_gives_the_same_fit(fit, stored, tmp_path):
    again = sb.load(sb.load(stored).save(tmp_path / "again.nc"))
    xr.testing.assert_identical(again.data_tree, sb.load(stored).data_tree)


def test_xarray_opens_it_which_is_what_arviz_opens_files_with(fit, stored):
    with xr.open_datatree(stored) as tree:
        assert tree.attrs[COORDINATES_KEY] == "centred"
        for group, node in fit.data_tree.children.items():
            xr.testing.assert_identical(tree[group].to_dataset().load(), node.to_dataset())


@pytest.mark.parametrize("law", [sb.laws.Chinchilla(priors=USERS_PRIORS), sb.laws.Chinchilla()])
@pytest.mark.parametrize(
    "noise",
    [sb.noise.Normal(), sb.noise.StudentT(priors={"sigma": sb.Prior("HalfNormal", sigma=0.1)})],
)
def test_users_priors_come_back(fit, tmp_path, law, noise):
    loaded = sb.load(described(fit, law=law, noise=noise).save(tmp_path / "fit.nc"))
    assert loaded.law == law
    assert loaded.noise == noise
    assert type(loaded.law) is type(law)


def test_every_law_comes_back(fit, tmp_path, law):
    loaded = sb.load(described(fit, law=law).save(tmp_path / "fit.nc"))
    assert loaded.law == law
    assert loaded.law.covariates == law.covariates


def test_columns_of_any_kind_come_back(fit, tmp_path):
    n = 4
    frame = pd.DataFrame(
        {
            "n_params": [1e8, 1e9, 1 / 3, np.nextafter(1e10, np.inf)],
            "tokens": [1e10] * n,
            "flops": [6e20] * n,
            "loss": [0.1 + 0.2, 2.5, 3.0, 5e-324],
            "weight": [1.0] * n,
            "group": ["C4", 'with "quotes"', "Größe\n", ""],
            "text with missing": ["a", np.nan, "007", "nan"],
            "number with missing": [1.5, np.nan, np.inf, -0.0],
            "flag": [True, False, True, True],
            "seed": [2**60 + 1, 0, -3, 7],
            "mixed": pd.Series([1, "1", None, True], dtype=object),
            "small": np.array([1, 2, 3, 4], dtype="int8"),
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "day": pd.to_datetime(
                ["2024-01-02 03:04:05.123456789", None, "2025", "2026"], format="ISO8601"
            ),
            7: [1, 2, 3, 4],
        }
    )
    runs = sb.Runs(frame, source="a table.csv", flops_per_param_token=6.1)
    loaded = sb.load(described(fit, runs=runs).save(tmp_path / "fit.nc")).runs
    expected = runs.frame.rename(columns=str)
    pd.testing.assert_frame_equal(loaded.frame, expected, **EXACT)
    assert loaded.source == "a table.csv"
    assert loaded.flops_per_param_token == 6.1


def test_a_column_of_an_exotic_type_comes_back_as_text(fit, runs, tmp_path):
    frame = runs.frame.assign(
        kind=pd.Categorical(["a", "b"] * 20),
        period=pd.period_range("2024-01", periods=40, freq="M"),
    )
    loaded = sb.load(described(fit, runs=sb.Runs(frame)).save(tmp_path / "fit.nc")).runs.frame
    assert loaded["kind"].tolist() == ["a", "b"] * 20
    assert loaded["period"].tolist()[:2] == ["2024-01", "2024-02"]


def test_a_hundred_thousand_runs_can_be_saved(fit, simulate, tmp_path):
    many = simulate(100_000)
    loaded = sb.load(described(fit, runs=many).save(tmp_path / "fit.nc")).runs
    pd.testing.assert_frame_equal(loaded.frame, many.frame, **EXACT)


def test_a_law_of_ones_own_has_to_be_given(fit, tmp_path):
    path = described(fit, law=OwnLaw(priors=USERS_PRIORS)).save(tmp_path / "fit.nc")
    message = r"'own' \(class OwnLaw\), which scaling_bayes does not ship.*law="
    with pytest.raises(FileFormatError, match=message):
        sb.load(path)
    loaded = sb.load(path, law=OwnLaw(priors=USERS_PRIORS))
    assert type(loaded.law) is OwnLaw
    with pytest.raises(FileFormatError, match=r"'own' .* and priors L_inf ~ Truncated.*LogNormal"):
        sb.load(path, law=OwnLaw())


def test_a_law_of_ones_own_with_the_name_of_a_shipped_one_is_not_taken_for_it(fit, tmp_path):
    class Bent(sb.laws.Chinchilla):
        def outer_exponent(self, p):
            return 0.5

    path = dataclasses.replace(fit, law=Bent()).save(tmp_path / "bent.nc")
    with pytest.raises(FileFormatError, match=r"class .*Bent.*does not ship"):
        sb.load(path)
    with pytest.raises(FileFormatError, match=r"Bent.*class scaling_bayes.Chinchilla"):
        sb.load(path, law=sb.laws.Chinchilla())
    assert isinstance(sb.load(path, law=Bent()).law, Bent)


def test_another_law_than_the_stored_one_is_refused(stored):
    with pytest.raises(FileFormatError, match=r"holds a fit with law 'chinchilla'.*'kaplan'"):
        sb.load(stored, law=sb.laws.Kaplan())
    with pytest.raises(FileFormatError, match=r"holds a fit with noise 'student-t'.*'normal'"):
        sb.load(stored, noise=sb.noise.Normal())


def test_a_default_prior_of_before_comes_from_the_file(fit, tmp_path):
    before = sb.noise.StudentT(priors={"nu": sb.Prior("Gamma", alpha=2.0, beta=0.1)})
    path = described(fit, noise=before).save(tmp_path / "before.nc")
    assert sb.load(path).noise == before
    with pytest.raises(FileFormatError, match=r"nu ~ Gamma.*the noise given .*nu ~ Truncated"):
        sb.load(path, noise=sb.noise.StudentT())


def test_only_a_fit_with_discrepancy_has_a_format_that_older_versions_refuse(fit, stored, tmp_path):
    plain = opened(stored).attrs
    assert plain[FORMAT_KEY] == 1
    assert "discrepancy" not in plain
    path = described(fit, discrepancy=Smooth()).save(tmp_path / "smooth.nc")
    assert opened(path).attrs[FORMAT_KEY] == 2
    assert sb.load(path).discrepancy == Smooth()


@pytest.mark.parametrize(("name", "value"), [("n_components", 10), ("lengths", [1.0, 2.0])])
def test_a_discrepancy_made_of_other_components_is_refused(fit, tmp_path, monkeypatch, name, value):
    path = described(fit, discrepancy=Smooth()).save(tmp_path / "smooth.nc")
    stored = json.loads(opened(path).attrs["discrepancy"])[name]
    monkeypatch.setattr(Smooth, name, value)
    for given in (None, Smooth()):
        with pytest.raises(FileFormatError) as refused:
            sb.load(path, discrepancy=given)
        shown, today = str(refused.value).split(";")
        assert f"{name} {stored}" in shown
        assert f"{name} {value}" in today


@pytest.mark.parametrize("number", [0, 99, "new"])
def test_another_format_is_refused_with_the_version_that_wrote_it(stored, tmp_path, number):
    path = with_attributes(stored, tmp_path / "other.nc", **{FORMAT_KEY: number})
    with pytest.raises(FileFormatError, match=rf"has format {number} .*scaling_bayes 0\.1.*again"):
        sb.load(path)


@pytest.mark.parametrize("broken", [{"law": "{"}, {"runs": "not JSON"}, {"noise": ""}])
def test_a_damaged_description_is_refused(stored, tmp_path, broken):
    path = with_attributes(stored, tmp_path / "damaged.nc", **broken)
    with pytest.raises(FileFormatError, match=r"damaged\.nc is damaged"):
        sb.load(path)


def test_a_law_with_other_parameters_than_todays_is_refused(stored, tmp_path):
    law = sb.laws.Chinchilla().to_dict()
    law["priors"]["gamma"] = law["priors"].pop("alpha_N")
    path = with_attributes(stored, tmp_path / "old.nc", law=json.dumps(law))
    with pytest.raises(FileFormatError, match=r"parameters L_inf, .*gamma; .* has L_inf, alpha_N"):
        sb.load(path)


def foreign(path: Path) -> None:
    xr.Dataset({"x": ("point", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")


def no_netcdf(path: Path) -> None:
    path.write_text("n_params,tokens,loss\n")


def empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (foreign, r"f\.nc was not written by scaling_bayes.*Open it with arviz"),
        (no_netcdf, r"f\.nc is not a NetCDF file that can be read"),
        (empty, r"f\.nc is not a NetCDF file that can be read"),
        (Path.mkdir, r"f\.nc: there is no such file"),
        (lambda path: None, r"f\.nc: there is no such file"),
    ],
)
def test_what_is_no_fit_is_refused(tmp_path, write, message):
    write(tmp_path / "f.nc")
    with pytest.raises(FileFormatError, match=message):
        sb.load(tmp_path / "f.nc")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(stored, tmp_path, share):
    whole = stored.read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FileFormatError, match=r"cut\.nc is not a NetCDF file that can be read"):
        sb.load(tmp_path / "cut.nc")


def test_a_failure_during_the_write_leaves_the_older_file_whole(fit, stored, tmp_path, monkeypatch):
    path = tmp_path / "fit.nc"
    path.write_bytes(stored.read_bytes())

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(InputError, match=r"fit\.nc cannot be written: .*No space left.*in memory"):
        fit.save(path)
    assert path.read_bytes() == stored.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.nc"]


def test_an_interrupt_during_the_write_leaves_nothing_behind(fit, tmp_path, monkeypatch):
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit.save(tmp_path / "fit.nc")
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_is_replaced(fit, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_text("older")
    assert fit.save(path) == path
    assert sb.load(path).law == fit.law
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.nc"]


def test_others_may_read_it_as_any_file_one_writes(stored, tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert stored.stat().st_mode == ordinary.stat().st_mode


def a_missing_folder(tmp_path: Path) -> Path:
    return tmp_path / "missing" / "fit.nc"


def a_file_for_a_folder(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file" / "fit.nc"


def a_folder_for_a_file(tmp_path: Path) -> Path:
    (tmp_path / "fit.nc").mkdir()
    return tmp_path / "fit.nc"


@pytest.mark.parametrize("place", [a_missing_folder, a_file_for_a_folder, a_folder_for_a_file])
def test_where_no_file_can_be_written_the_path_and_a_remedy_are_named(fit, tmp_path, place):
    path = place(tmp_path)
    with pytest.raises(
        InputError, match=rf"{path} cannot be written: .*(Make it first|may write to)"
    ):
        fit.save(path)


def test_nothing_is_pickled(stored):
    raw = stored.read_bytes()
    assert b"pickle" not in raw
    for key in ("law", "noise", "runs"):
        json.loads(opened(stored).attrs[key])
