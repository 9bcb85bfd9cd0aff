"""What the seconds of a run were spent on."""

import time


class Stopwatch:
    """Seconds of each part of a run, of which one at a time is under way."""

    def __init__(self):
        self.seconds, self._part, self._since = {"train": 0.0, "evaluate": 0.0, "diagnostics": 0.0}, "", 0.0

    def start(self, part: str) -> None:
        """Let what was under way end, and this part begin; nothing, if its name is empty."""
        now = time.perf_counter()
        if self._part:
            self.seconds[self._part] += now - self._since
        self._part, self._since = part, now

    def pause(self) -> str:
        """Stop while others have their turns, and return what was under way, to `start` again."""
        part = self._part
        self.start("")
        return part

    def read(self) -> dict[str, float]:
        """Return the seconds up to now."""
        self.start(self._part)
        return dict(self.seconds)
