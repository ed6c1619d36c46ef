"""What a value is still worth after a while, and what a mean over an interval says of an instant.

A load is taken as its expectation plus an Ornstein-Uhlenbeck deviation x with standard deviation sigma and correlation
time tau: Cov(x(s), x(t)) = sigma^2 rho(|t - s|), rho(d) = exp(-d / tau) (Uhlenbeck and Ornstein, Physical Review 36,
1930). Everything below is that covariance, integrated. With a meter z = x(0) + e, Var e = sigma_meter^2, and age d:

* carried on: E[x(d) | x(0)] = rho x(0), and what is left is sigma^2 (1 - rho^2): the variance of a value that was drawn
  back towards the expectation by rho. To that, rho^2 sigma_meter^2 is added; `aged_variance` adds all of sigma_meter^2,
  which is never too small.
* held: the old value as it stands, against the present: E[(x(d) - z)^2] = 2 sigma^2 (1 - rho) + sigma_meter^2.
* as a measurement of the present, beside a prior that already says x(d) ~ N(0, sigma^2): z = rho x(d) + noise of
  variance sigma^2 (1 - rho^2) + sigma_meter^2. Divided by rho it is a measurement of x(d); its posterior is exactly
  the first line's.
* mean over an interval T that ended d ago, a = T / tau: Var(mean) = sigma^2 2 (a - 1 + exp(-a)) / a^2, and
  Cov(mean, x(d)) = sigma^2 rho(d) (1 - exp(-a)) / a.

All functions are elementwise over broadcast arrays; variances in the square of the unit of the sigmas.
"""

import numpy as np

from adms.core.telemetry import FloatArray

_SERIES_BELOW = 1e-3
"""Interval over correlation time below which the closed forms lose digits and their series are used."""


def correlation(age_s: FloatArray | float, *, tau_s: FloatArray | float) -> FloatArray:
    """exp(-age / tau) in 0..1; 0 at infinite age. A negative age (a clock that runs ahead) counts as 0."""
    return np.asarray(np.exp(-np.maximum(age_s, 0.0) / tau_s), dtype=np.float64)


def aged_variance(
    age_s: FloatArray | float,
    *,
    sigma_meter: FloatArray | float,
    sigma_load: FloatArray | float,
    tau_s: FloatArray | float,
) -> FloatArray:
    """sigma_meter^2 + sigma_load^2 (1 - exp(-2 age / tau)): of a value that was carried on by its law.

    Grows from the meter's own variance at age 0 to that of knowing nothing of the deviation.
    """
    rho = correlation(age_s, tau_s=tau_s)
    return np.asarray(np.square(sigma_meter) + np.square(sigma_load) * (1.0 - rho * rho))


def interval_mean_ratio(interval_s: FloatArray | float, *, tau_s: FloatArray | float) -> FloatArray:
    """Var(mean over the interval) / sigma^2 = 2 (a - 1 + exp(-a)) / a^2, 1 for a short interval, 2 / a for a long
    one."""
    a = np.asarray(interval_s, dtype=np.float64) / tau_s
    small = a < _SERIES_BELOW
    safe = np.where(small, 1.0, a)
    closed = 2.0 * (safe + np.expm1(-safe)) / (safe * safe)
    return np.where(small, 1.0 - a / 3.0, closed)


def interval_covariance_ratio(
    interval_s: FloatArray | float, *, age_s: FloatArray | float, tau_s: FloatArray | float
) -> FloatArray:
    """Cov(mean over the interval, value `age_s` after its end) / sigma^2 = exp(-age / tau) (1 - exp(-a)) / a."""
    a = np.asarray(interval_s, dtype=np.float64) / tau_s
    small = a < _SERIES_BELOW
    safe = np.where(small, 1.0, a)
    inside = np.where(small, 1.0 - 0.5 * a, -np.expm1(-safe) / safe)
    return np.asarray(correlation(age_s, tau_s=tau_s) * inside)
