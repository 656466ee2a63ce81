"""A line that is nearly straight, through places that are known about and on beyond them.

log N* is a straight line in log C in every sum of one power of N and one of D, and nearly one in
every sweep with isoFLOP slices that was published: slopes are from 0.46 to 0.82, and minima
scatter about a line by 2 to 25%.
"""

from __future__ import annotations

from math import log

import numpy as np

_SLOPE, _SLOPE_SD = 0.55, 0.1
"""Prior of the line's slope, the exponent of N* in compute."""
_WALK_SD, _BEND_SD = 0.6, 0.4
"""How far the slope walks, in a length, beyond the largest run; and bends about the line."""
_LENGTH = log(100.0)
"""Length of walk and bends in log compute."""
_LEVEL_SD = 10.0
_OWN = 0.02
"""Share of the variance of each place that is its own, whatever the draws' correlation."""
_MOST_SDS = 3.0
_PROB = 0.9
_SDS_IN_PROB = 3.29


def carried_on(
    draws: np.ndarray, at: np.ndarray, beyond: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the line at places beyond those that are known.

    Generalised least squares: the draws' medians are what is known, with the covariance of the
    draws, of a line whose slope walks as the integral of an Ornstein-Uhlenbeck process from the
    last known place on, and which bends as a Gaussian process.

    Parameters
    ----------
    draws : ndarray, shape (draw, known)
        Draws of the line at the known places.
    at, beyond : ndarray, shape (known,) and (place,)
        Where, in log compute.

    Returns
    -------
    tuple of ndarray, each of shape (place,)

    Examples
    --------
    >>> import numpy as np
    >>> from scaling_bayes._straight_line import carried_on
    >>> at = np.linspace(40.0, 44.0, 6)
    >>> draws = 0.5 * at + 0.01 * np.random.default_rng(0).standard_normal((500, 6))
    >>> mean, sd = carried_on(draws, at, np.array([46.0]))
    >>> print(f"{mean[0]:.1f}")
    23.0
    """
    low, middle, high = np.quantile(draws, [(1 - _PROB) / 2, 0.5, (1 + _PROB) / 2], axis=0)
    sd = np.maximum((high - low) / _SDS_IN_PROB, 1e-6)
    scores = ((draws - middle) / sd).clip(-_MOST_SDS, _MOST_SDS)
    correlation = (1 - _OWN) * np.corrcoef(scores.T) + _OWN * np.eye(len(at))
    steps = np.concatenate([at, beyond]) - at[-1]
    prior, n = _covariance(steps), len(at)
    gain = np.linalg.solve(prior[:n, :n] + correlation * np.outer(sd, sd), prior[:n]).T
    off = middle - _SLOPE * steps[:n]
    level = off.mean()
    mean = _SLOPE * steps + level + gain @ (off - level)
    left = np.diag(prior - gain @ prior[:n])
    return mean[n:], np.sqrt(np.maximum(left[n:], 1e-8))


def _covariance(steps: np.ndarray) -> np.ndarray:
    in_lengths = steps / _LENGTH
    apart = np.abs(in_lengths[:, None] - in_lengths)
    root = np.sqrt(5) * apart
    bends = (1 + root + root**2 / 3) * np.exp(-root)
    ends = _walked(in_lengths)
    walk = ends[:, None] + ends - _walked(apart)
    line = _LEVEL_SD**2 + _SLOPE_SD**2 * np.outer(steps, steps)
    return np.asarray(line + _WALK_SD**2 * walk + _BEND_SD**2 * bends)


def _walked(distance: np.ndarray) -> np.ndarray:
    """Return half the variance of the integral of an Ornstein-Uhlenbeck process of unit scale."""
    walked: np.ndarray = np.exp(-np.abs(distance)) + np.abs(distance) - 1
    return walked
