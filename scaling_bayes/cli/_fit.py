"""The command ``fit``: from a table of runs to a posterior."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from cyclopts import Parameter

from scaling_bayes._files.user_path import writable
from scaling_bayes.cli import _options as options
from scaling_bayes.cli._answer import note, show
from scaling_bayes.cli._options import DEFAULT_VIEW, View
from scaling_bayes.cli._priors import fixed_of, priors_of
from scaling_bayes.cli._reading import announce, names_of, read_table
from scaling_bayes.cli._rescue import save_or_rescue
from scaling_bayes.cli._sources import law_named, noise_named
from scaling_bayes.cli._summary import pooled_summary_of, summary_of
from scaling_bayes.units import FLOPS_PER_PARAM_TOKEN

EXAMPLES = """\
Examples
  scaling-bayes fit runs.csv --output fit.nc
  scaling-bayes fit runs.csv --law chinchilla --law-alone
  scaling-bayes fit runs.csv --prior 'L_inf=Normal(1.6, 0.05)'
  scaling-bayes fit runs.csv --law power-c --fix L_inf=1.6
  scaling-bayes fit runs.csv --groups corpus --output pooled.nc
  scaling-bayes fit runs.csv --law kaplan --noise normal --where "loss < 4"
  scaling-bayes fit runs.csv --column loss=val_loss --column n_params=params
  scaling-bayes fit runs.parquet --law power-c --json > posterior.json
  scaling-bayes fit runs.csv --law my_laws.py:MyLaw --output mine.nc

A file my_laws.py holds a class MyLaw(scaling_bayes.Law); naming it runs that file."""


def fit(
    runs: options.RunsFile,
    /,
    *,
    law: Annotated[str, Parameter(help=f"One of {options.LAWS}")] = "coupled",
    noise_model: options.NoiseName = "student-t",
    prior: options.Priors = (),
    fix: options.Fixed = (),
    groups: Annotated[
        str | None,
        Parameter(
            help="Column of groups, such as corpus, whose parameters vary around common ones. "
            "Ask for one of them as fit.nc:name, for one without runs as fit.nc:new."
        ),
    ] = None,
    law_alone: Annotated[bool, Parameter(help=options.LAW_ALONE)] = False,
    where: options.Where = None,
    column: options.Column = (),
    flops_per_param_token: options.FlopsPerParamToken = FLOPS_PER_PARAM_TOKEN,
    flops_tolerance: options.FlopsTolerance = options.DEFAULT_FLOPS_TOLERANCE,
    loss_unit: options.LossUnit = None,
    duplicates: options.DuplicatesOption = "refuse",
    unfinished: options.UnfinishedOption = "drop",
    output: Annotated[str | None, Parameter(help="NetCDF file to save the fit to.")] = None,
    seed: options.SamplingSeed = 1,
    sampler: options.SamplerName = "nutpie",
    draws: options.Draws | None = None,
    tune: options.Tune | None = None,
    chains: options.Chains = 4,
    target_accept: options.TargetAccept | None = None,
    view: View = DEFAULT_VIEW,
) -> None:
    """Fit a law to training runs, check the draws, and show the posterior."""
    chosen_law = law_named(law, priors=priors_of(prior), fixed=fixed_of(fix))
    chosen_noise = noise_named(noise_model)
    names = names_of(column)
    target = None if output is None else writable(output, "--output")

    import scaling_bayes as sb
    from scaling_bayes._fit.pooled import pooled_fitter

    given: dict[str, Any] = {
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "target_accept": target_accept,
    }
    usual = sb.SamplerSettings() if groups is None else pooled_fitter.SETTINGS
    settings = replace(usual, **{name: each for name, each in given.items() if each is not None})
    table = read_table(
        runs,
        names=names,
        where=where,
        flops_per_param_token=flops_per_param_token,
        flops_tolerance=flops_tolerance,
        loss_unit=loss_unit,
        duplicates=duplicates,
        unfinished=unfinished,
    )
    announce(table, [chosen_law], view, groups=groups)
    fitted: sb.Fit | sb.PooledFit
    how: dict[str, Any] = {
        "noise": chosen_noise,
        "discrepancy": None if law_alone else "smooth",
        "settings": settings,
        "seed": seed,
    }
    if groups is None:
        fitted = sb.fit(table, chosen_law, sampler=sampler, **how)
        show(summary_of(fitted, view), view)
    else:
        fitted = sb.fit(table, chosen_law, groups=groups, **how)
        show(pooled_summary_of(fitted, view), view)
    if target is None:
        note("Not saved; add --output fit.nc to keep the fit.")
    else:
        note(f"Saved to {save_or_rescue(fitted, target)}")
