"""From magnitudes to the threshold of change: by the method asked for, then checked.

No method is taken at its word: each splits any distribution, also one without change. What a
threshold marks must lie together (see `coherence`); if it does not, the threshold is raised, and
every such step is told in `notes`. Magnitudes are (window, y, x) float, NaN where missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from components.s2_change.coherence import coherent_threshold, morans_i
from components.s2_change.em import DegenerateMixtureError
from components.s2_change.gaussian_mixture import (
    GaussianMixture,
    fit_gaussians,
    gaussian_threshold,
)
from components.s2_change.otsu import robust_otsu_threshold
from components.s2_change.rayleigh_rice import (
    RayleighRiceMixture,
    fit_rayleigh_rice,
    rayleigh_rice_threshold,
)

FloatArray = NDArray[np.floating[Any]]

Rule = Literal["em", "rayleigh-rice", "otsu"]
RULES: Final = get_args(Rule)

# More pixels do not move the parameters of a mixture, and EM would take seconds per step.
FIT_PIXELS: Final = 200_000

NO_CHANGE: Final = float("inf")


@dataclass(frozen=True)
class Threshold:
    """Magnitudes above `value` are change; infinity where there is none.

    rule: what set it ("em", "rayleigh-rice", "otsu", "manual"). proposed: what that rule alone
    says, None if nothing. morans_i: coherence of what is marked, NaN where nothing is. notes:
    sentences for the user about every departure from the rule.
    """

    value: float
    rule: str
    proposed: float | None
    morans_i: float
    mixture: GaussianMixture | RayleighRiceMixture | None = None
    notes: tuple[str, ...] = ()


def manual_threshold(magnitudes: FloatArray, value: float) -> Threshold:
    """Return a threshold given by the user, unchecked."""
    with np.errstate(invalid="ignore"):
        coherence = morans_i(magnitudes > value, np.isfinite(magnitudes))
    return Threshold(value, "manual", value, coherence)


def find_threshold(
    magnitudes: FloatArray, rule: Rule, min_coherence: float, rng: np.random.Generator
) -> Threshold:
    """Return the threshold that a rule finds, raised until what it marks lies together.

    min_coherence: Moran's I that the marked pixels must reach, 0..1; 0 takes the rule's own
    threshold. Raises ValueError where there is no magnitude at all.
    """
    values = magnitudes[np.isfinite(magnitudes)]
    if values.size > FIT_PIXELS:
        values = rng.choice(values, FIT_PIXELS, replace=False)
    proposed, used, mixture, notes = _propose(values.astype(np.float64), rule)
    coherence = coherent_threshold(magnitudes, proposed, min_coherence)
    if coherence is None:
        notes.append(
            f"no change found: pixels above the {used} threshold {proposed:.3g} lie scattered "
            "as noise does; give a threshold by number to mark them all the same"
        )
        return Threshold(NO_CHANGE, used, proposed, float("nan"), mixture, tuple(notes))
    if coherence.raised:
        notes.append(
            f"the {used} threshold {proposed:.3g} marked mostly scattered pixels and was raised "
            f"to {coherence.threshold:.3g} (Moran's I {coherence.morans_i:.2f})"
        )
    if np.mean(values > coherence.threshold) > 0.5:
        notes.append(
            "more than half of the pixels are marked: a pair that changed throughout has no "
            "unchanged ground to measure change against"
        )
    return Threshold(coherence.threshold, used, proposed, coherence.morans_i, mixture, tuple(notes))


def _propose(
    values: NDArray[np.float64], rule: Rule
) -> tuple[float, Rule, GaussianMixture | RayleighRiceMixture | None, list[str]]:
    """Return the rule's own threshold, or Otsu's where the mixture is degenerate."""
    notes: list[str] = []
    try:
        if rule == "em":
            gaussians = fit_gaussians(values)
            return gaussian_threshold(gaussians), rule, gaussians, notes
        if rule == "rayleigh-rice":
            mixture = fit_rayleigh_rice(values)
            return rayleigh_rice_threshold(mixture), rule, mixture, notes
    except DegenerateMixtureError as error:
        notes.append(f"{rule} found no two classes ({error}); Otsu's threshold stands in")
    threshold, winsorised = robust_otsu_threshold(values)
    if winsorised:
        notes.append(f"change is rare: Otsu's threshold {threshold:.3g} ignores how strong it is")
    return threshold, "otsu", None, notes
