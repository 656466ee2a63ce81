"""The application: its commands, and what its exit codes mean."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from scaling_bayes import __version__
from scaling_bayes.cli import (
    _allocate,
    _backtest,
    _check,
    _compare,
    _countings,
    _decide,
    _demo,
    _diagnose,
    _fit,
    _forecast,
    _import,
    _next_run,
    _plot,
    _report,
    _summary,
)
from scaling_bayes.cli._answer import note
from scaling_bayes.cli._interrupt import ending_at_once
from scaling_bayes.cli._remedies import in_options
from scaling_bayes.errors import ConvergenceError, DoubtWarning, ScalingBayesError

OK, NOT_CONVERGED, UNUSABLE = 0, 1, 2

HELP = """\
Scaling laws of training loss as Bayesian inference: fit, check, forecast, decide.

The loss is in nats per token; sizes take units, such as 70B, 1.4T or 3e4PF-days."""

EPILOGUE = """\
Exit codes
  0  done
  1  the sampler did not converge, so there is no answer
  2  bad usage or input: the message says what, where, and what helps

Examples
  scaling-bayes demo
  scaling-bayes fit runs.csv --law chinchilla --output fit.nc
  scaling-bayes check fit.nc
  scaling-bayes forecast fit.nc --n-params 70B --tokens 1.4T
  scaling-bayes allocate fit.nc --flops 1e24
  scaling-bayes decide fit.nc --flops 1e24

Every command has examples of its own: scaling-bayes fit --help"""

app = App(
    name="scaling-bayes",
    help=HELP,
    help_format="plaintext",
    help_epilogue=EPILOGUE,
    version=__version__,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.command(_demo.demo, help_epilogue=_demo.EXAMPLES)
app.command(_import.import_runs, name="import", help_epilogue=_import.EXAMPLES)
app.command(_fit.fit, help_epilogue=_fit.EXAMPLES)
app.command(_forecast.forecast, help_epilogue=_forecast.EXAMPLES)
app.command(_allocate.allocate, help_epilogue=_allocate.EXAMPLES)
app.command(_decide.decide, help_epilogue=_decide.EXAMPLES)
app.command(_next_run.next_run, help_epilogue=_next_run.EXAMPLES)
app.command(_summary.summary, help_epilogue=_summary.EXAMPLES)
app.command(_check.check, help_epilogue=_check.EXAMPLES)
app.command(_diagnose.diagnose, help_epilogue=_diagnose.EXAMPLES)
app.command(_compare.compare, help_epilogue=_compare.EXAMPLES)
app.command(_countings.countings, help_epilogue=_countings.EXAMPLES)
app.command(_backtest.backtest, help_epilogue=_backtest.EXAMPLES)
app.command(_plot.plot, help_epilogue=_plot.EXAMPLES)
app.command(_report.report, help_epilogue=_report.EXAMPLES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``scaling-bayes``; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 not converged, 2 bad usage or input. An interrupt ends the
        process with 130.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")  # pictures go to files; no command opens a window
    words = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stdout is None:  # as in `scaling-bayes summary fit.nc >&-`
        note("error: standard output is closed. Let it go somewhere, such as to /dev/null.")
        return UNUSABLE
    try:
        with ending_at_once(), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            # Commands say it of each table themselves, and answers repeat what matters to them.
            warnings.simplefilter("ignore", DoubtWarning)
            app(
                words,
                print_error=False,
                exit_on_error=False,
                result_action="return_value",
            )
            sys.stdout.flush()
    except CycloptsError as error:
        return _unusable(error, words)
    except ConvergenceError as error:
        note(f"error: {in_options(str(error))}")
        return NOT_CONVERGED
    except BrokenPipeError:
        # Whoever reads has had enough, as in `scaling-bayes fit runs.csv | head -1`. What Python
        # would still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except SystemExit as error:
        # What prints the help has met such a reader, and turned that into an exit code of 1.
        if isinstance(error.__context__, BrokenPipeError):
            return OK
        raise
    except KeyboardInterrupt:
        # Ctrl-C ends the process before it gets here, so this one was raised by a law's own code.
        note("error: the law's own code raised KeyboardInterrupt. Take that out of its file.")
        return UNUSABLE
    except (ScalingBayesError, OSError) as error:
        return _unusable(error, words)
    return OK


def _unusable(error: Exception, words: Sequence[str]) -> int:
    command = [word for word in words[:1] if word in app and not word.startswith("-")]
    remedy = " ".join(["scaling-bayes", *command, "--help"])
    note(f"error: {in_options(str(error))}\nTry: {remedy}")
    return UNUSABLE


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    note(f"warning: {in_options(str(message))}")
