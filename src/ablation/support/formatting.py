"""Numbers written for people."""


def duration(seconds: float) -> str:
    """Write a time: 9 s, 2 min 05 s, 1 h 30 min."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def count(value: float) -> str:
    """Write a count with three significant digits and a unit prefix: 61.7 k, 1.81 G, 1.29 T."""
    for factor, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.3g}{prefix}" if value / factor < 999.5 else f"{value / factor:.0f}{prefix}"
    return f"{value:.0f}"


def file_size(count_of_bytes: int) -> str:
    """Write a number of bytes: 12 B, 1.81 GB."""
    text = count(count_of_bytes)
    return f"{text}B" if " " in text else f"{text} B"


def plural(number: int, noun: str) -> str:
    """Write a number with its noun: 1 claim, 2 claims."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def unit_of_differences(unit: str) -> str:
    """Return the unit of differences of what has a unit: those of percentages are points."""
    return "points" if unit == "%" else unit
