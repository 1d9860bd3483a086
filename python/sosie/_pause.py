"""Leaving something alone for a moment after it has failed."""

import random
import threading
import time


class Pause:
    """After a failure nothing is tried for a moment, twice as long each time in a row; then one call tries.

    Thread-safe. `trial`: seconds after which a try that nobody has reported counts as lost.
    """

    FIRST, LONGEST = 0.25, 30.0

    def __init__(self, trial, clock=time.monotonic):
        self._trial, self._clock = trial, clock
        self._lock = threading.Lock()
        self._failures, self._until = 0, 0.0

    def allows(self):
        with self._lock:
            if self._failures == 0:
                return True
            now = self._clock()
            if now < self._until:
                return False
            self._until = now + self._trial
            return True

    def succeeded(self):
        with self._lock:
            self._failures = 0

    def failed(self):
        with self._lock:
            self._failures += 1
            wait = min(self.LONGEST, self.FIRST * 2 ** min(self._failures - 1, 20))
            self._until = self._clock() + wait * random.uniform(0.5, 1.0)
