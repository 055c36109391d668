"""Read the ranges of a search from a sweep's settings, as Hydra's grammar parses them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, RangeSweep, Sweep

from tinystories_lm.config.schema import SETTINGS
from tinystories_lm.system.errors import UsageError

DIGITS = 5  # of a drawn number: a command with more is hard to read, and no result depends on them
FORMS = "interval(1e-4,1e-2), tag(log,interval(1e-4,1e-2)), int(interval(1,8)), range(1,9,2), choice(a,b) or a,b"


@dataclass(frozen=True)
class Choices:
    """A setting with a few values without an order."""

    key: str
    values: tuple[str, ...]  # as overrides have them

    def text(self, value: object) -> str:
        return str(value)

    def parse(self, text: str) -> str:
        """Return the value as Optuna has it."""
        return text

    @property
    def ends(self) -> tuple[str, ...]:
        """The values among which the most expensive run is looked for."""
        return self.values

    def describe(self) -> str:
        return ", ".join(self.values)


@dataclass(frozen=True)
class Range:
    """A setting with numbers from `low` to `high`, both included."""

    key: str
    low: float
    high: float
    is_integer: bool
    log: bool = False  # drawn evenly in the logarithm
    step: float | None = None  # None: any number between; for integers 1

    def text(self, value: float) -> str:
        """Return the number as an override has it: at most DIGITS digits where any number may be drawn."""
        if self.is_integer:
            return str(round(value))
        rounded = value if self.step is not None else float(f"{value:.{DIGITS}g}")
        return repr(float(min(self.high, max(self.low, rounded))))

    def parse(self, text: str) -> float:
        return int(text) if self.is_integer else float(text)

    @property
    def ends(self) -> tuple[str, ...]:
        return self.text(self.low), self.text(self.high)

    def describe(self) -> str:
        """Return the range in words, for a table."""
        step = f" in steps of {self.step:g}" if self.step is not None else " of integers" if self.is_integer else ""
        return f"{self.low:g} … {self.high:g}{step}{', logarithmic' * self.log}"


Dimension = Choices | Range


@dataclass(frozen=True)
class Space:
    """What a search varies, and the settings that all its trials share."""

    dimensions: tuple[Dimension, ...]
    shared: tuple[str, ...]  # overrides

    def overrides(self, params: dict[str, str]) -> list[str]:
        """Return all overrides of the trial with these values."""
        return [*self.shared, *(f"{key}={value}" for key, value in params.items())]


def read_space(overrides: Sequence[Override]) -> Space:
    """Split parsed overrides into ranges and shared settings; of a setting given twice the last form counts.

    Raises UsageError for a range that cannot be searched, and where nothing is left to search.
    """
    last = {override.get_key_element().lstrip("+~"): override for override in overrides}
    dimensions = [read_dimension(override) for override in last.values() if override.is_sweep_override()]
    shared = [str(override.input_line) for override in last.values() if not override.is_sweep_override()]
    if not dimensions:
        raise UsageError(f"no setting has a range, so there is nothing to search: give one, as KEY={FORMS}")
    return Space(tuple(dimensions), tuple(shared))


def read_dimension(override: Override) -> Dimension:
    """Return the range of one parsed override; raises UsageError for one that cannot be searched."""
    key, sweep, typed = override.get_key_element(), override.value(), override.input_line
    assert isinstance(sweep, Sweep | Glob)
    if key.lstrip("+").startswith("hydra"):
        raise UsageError(f"{typed}: only settings of a run can be searched, not Hydra's own: give it one value")
    if getattr(sweep, "shuffle", False):
        raise UsageError(f"{typed}: a search draws its values in its own order: remove shuffle")
    tags = set() if isinstance(sweep, Glob) else set(sweep.tags)
    if unknown := sorted(map(str, tags - {"log"})):
        raise UsageError(f"{typed}: the tag {unknown[0]} means nothing to a search: use log, or remove it")
    match sweep:
        case IntervalSweep():
            return _interval(key, sweep, typed)
        case RangeSweep():
            return _range(key, sweep, typed)
        case ChoiceSweep() | Glob():
            if tags:
                raise UsageError(f"{typed}: log needs an interval: type {key}=tag(log,interval(LOW,HIGH))")
            values = tuple(dict.fromkeys(override.sweep_string_iterator()))
            if len(values) < 2:
                raise UsageError(f"{typed}: one value leaves nothing to search: give two, or type {key}=VALUE")
            return Choices(key, values)
    raise UsageError(f"{typed}: this form cannot be searched: type {key}={FORMS}")


def _interval(key: str, sweep: IntervalSweep, typed: str | None) -> Range:
    low, high = sweep.start, sweep.end
    assert low is not None and high is not None
    is_integer = isinstance(low, int) and isinstance(high, int)
    if not is_integer and _is_integer_setting(key):  # Hydra reads interval(1,8) as floats
        if not (float(low).is_integer() and float(high).is_integer()):
            raise UsageError(f"{typed}: {key} is an integer: give the interval integers")
        is_integer = True
    return _checked(Range(key, low, high, is_integer=is_integer, log="log" in sweep.tags), typed)


def _range(key: str, sweep: RangeSweep, typed: str | None) -> Range:
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None and stop is not None
    if "log" in sweep.tags:
        raise UsageError(f"{typed}: a range with steps has no logarithm: type {key}=tag(log,interval(LOW,HIGH))")
    count = math.ceil((stop - start) / step - 1e-9)  # the stop is excluded
    if step <= 0 or count < 2:
        raise UsageError(f"{typed}: it has fewer than two values: widen it, or give one value")
    is_integer = all(isinstance(value, int) for value in (start, stop, step))
    return _checked(Range(key, start, start + (count - 1) * step, is_integer=is_integer, step=step), typed)


def _checked(found: Range, typed: str | None) -> Range:
    if not (math.isfinite(found.low) and math.isfinite(found.high) and found.low < found.high):
        raise UsageError(f"{typed}: its end {found.high} must be above its start {found.low}: exchange or widen them")
    if found.log and found.low <= 0:
        raise UsageError(f"{typed}: log needs numbers above 0, and it starts at {found.low}: raise the start")
    return found


def _is_integer_setting(key: str) -> bool:
    setting = SETTINGS.get(key.lstrip("+"))
    return setting is not None and setting.type is int
