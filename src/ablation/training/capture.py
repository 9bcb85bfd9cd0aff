"""Steps that are captured once as a CUDA graph and then replayed: the same operations, and so the same bits, at one launch.

A graph holds addresses, so that all of a step lies in memory that stays: the order of the epoch, its learning rates and
the position in it. Nothing is taken on trust: a step is taken both ways before the graph is used, and what does not give
the same bits, or cannot be captured, is trained operation by operation.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

import torch

from ablation.support.references import is_own
from ablation.training.layout import seeing_images
from ablation.training.steps import Step, Stepper, default_generators
from ablation.training.turns import Lane

WARM_UP = 2  # steps of each batch size before its graph: the first makes the optimiser's buffers, and loads kernels
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes


def reason_against(spec: Mapping[str, Any]) -> str:
    """Say why the steps of a spec are not captured whatever they do; empty if nothing is against it.

    Code of an author's own may do another thing in each step, on the host, where a graph does what was done once.
    """
    own = [reference for reference in seeing_images(spec) if is_own(reference)]
    return f"{own[0]} is code of the study's own, which a graph could freeze" if own else ""


class Captured(Stepper):
    """Replays the steps of a run, a graph for each size of its batches.

    A graph reads the generator of the augmentation, which is the run's own and seeded before each step, but not those that
    all runs of the process share: a network that draws from these (dropout) is not captured.

    Parameters
    ----------
    step : Step
    lane : Lane
        Records and replays; on a CPU it merely calls again.
    say : callable
        Is told why the run is trained without, once.
    against : str
        Why it is from the start, as `reason_against` says it; empty if it is not.
    """

    def __init__(self, step: Step, lane: Lane, say: Callable[[str], None], against: str = ""):
        super().__init__(step)
        self.lane, self.say = lane, say
        self.batch_size, device = step.recipe["batch_size"], step.device
        # All that a graph reads is kept here or by the step: it holds addresses, and no memory.
        self.position = torch.zeros(1, dtype=torch.int64, device=device)  # the next step of the epoch
        self.at = 0  # the same, as the host knows it
        self.places: dict[int, torch.Tensor] = {}  # by size of batch: 0, 1, 2 …
        self.order: torch.Tensor | None = None
        self.rates: torch.Tensor | None = None
        # In single precision the fused optimisers read it on CUDA; in double, on a CPU.
        self.rate = torch.zeros((), dtype=torch.float32 if device.type == "cuda" else torch.float64, device=device)
        self.warm: Counter[int] = Counter()
        self.replays: dict[int, Callable[[], None]] = {}
        self.refused = ""
        if against:
            self._refuse(against)

    def settle(self) -> Iterator[None]:  # noqa: D102
        return self.lane.settle()

    def keep_up(self) -> Iterator[None]:  # noqa: D102
        return self.lane.keep_up()

    def begin(self, order: torch.Tensor, rates: Sequence[float]) -> None:  # noqa: D102
        rates = torch.tensor(rates, dtype=self.rate.dtype)
        if self.order is None:
            self.order, self.rates = order.to(self.rate.device), rates.to(self.rate.device)
        else:  # graphs read these from where they lie
            self.order.copy_(order)
            self.rates.copy_(rates)

    def take(self, position: int, first: int, last: int) -> None:  # noqa: D102
        size = last - first
        if size in self.replays:
            self._go_to(position)
            self.replays[size]()
            self.at = position + 1
        elif self.refused or self.warm[size] < WARM_UP:
            self.warm[size] += 1
            super().take(position, first, last)
        else:
            self._capture(position, first, last)

    def _go_to(self, position: int) -> None:
        if self.at != position:
            self.position.fill_(position)
            self.at = position

    def _step(self, places: torch.Tensor) -> None:
        """Take the step at the position on the device, whose images stand at `places` (n,) behind its first one."""
        chosen = self.order.index_select(0, self.position * self.batch_size + places)
        self.rate.copy_(self.rates.index_select(0, self.position).squeeze(0))
        self.position.add_(1)
        self.step(chosen, self.rate)

    def _capture(self, position: int, first: int, last: int) -> None:
        """Take a step as ever; then go back, record it, replay it and compare every bit."""
        self._go_to(position)
        written = list(self._written())
        before = copies(written)
        drawing = [generator.get_state() for generator in default_generators(self.step.device)]
        super().take(position, first, last)
        if any(
            not torch.equal(state, generator.get_state())
            for state, generator in zip(drawing, default_generators(self.step.device), strict=True)
        ):
            self._refuse("its layers draw random numbers (as dropout does) from a generator that all runs share")
            return
        after = copies(written)
        try:
            put_back(before, written)
            replay = self._record(last - first)
            self.draws.manual_seed(self.draws.initial_seed())  # at its beginning again
            replay()
            different = not all(map(same_bits, after, written))
        except RuntimeError as error:  # what CUDA cannot capture, and what has no memory left for it
            cause = error.__context__ or error  # the end of a capture that failed fails, too
            different, why = True, f"{type(cause).__name__}: {[*str(cause).splitlines(), ''][0]}"
        else:
            why = "a replayed step gave other bits"
        if different:
            put_back(after, written)
            self._refuse(why)
        else:
            self.replays[last - first] = replay
            self.at = position + 1

    def _record(self, size: int) -> Callable[[], None]:
        # Torch refuses to capture Adam without this mark, which changes nothing about its fused form.
        marked = [group for group in self.step.optimizer.param_groups if group.get("capturable") is False]
        for group in marked:
            group["capturable"] = True
        try:
            self.places[size] = torch.arange(size, device=self.rate.device)
            return self.lane.record(partial(self._step, self.places[size]), self.draws)
        finally:
            for group in marked:
                group["capturable"] = False

    def _written(self) -> Iterator[torch.Tensor]:
        """List all that a step writes and leaves."""
        step = self.step
        yield from (parameter.detach() for parameter in step.network.parameters())
        yield from step.network.buffers()
        for state in step.optimizer.state.values():
            yield from (value for value in state.values() if isinstance(value, torch.Tensor))
        yield step.tally.sums

    def _refuse(self, why: str) -> None:
        self.replays.clear()
        self.refused = why
        self.say(f"its steps are not captured as a CUDA graph, and take longer: {why}")


def copies(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Copy tensors."""
    return [tensor.clone() for tensor in tensors]


def put_back(values: list[torch.Tensor], places: list[torch.Tensor]) -> None:
    """Write values to where they were copied from."""
    for value, place in zip(values, places, strict=True):
        place.copy_(value)


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Say whether two tensors of one type are equal bit by bit: NaN is not equal to itself."""
    kind = INTEGERS[one.element_size()]
    return torch.equal(one.view(kind), other.view(kind))


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python from collecting garbage: the graph of a run that has ended must not be freed while another is captured."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class CudaLane(Lane):
    """A stream of a CUDA device, and the graphs that are replayed in it, which share memory with those of no other lane.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device):
        self.stream = torch.cuda.Stream(device)
        self.stream.wait_stream(torch.cuda.current_stream(device))  # which the images are put on the device in
        self.graphs: list[torch.cuda.CUDAGraph] = []
        self.mark: torch.cuda.Event | None = None

    def turn(self) -> AbstractContextManager:  # noqa: D102
        return torch.cuda.stream(self.stream)

    def settle(self) -> Iterator[None]:  # noqa: D102
        done = self.stream.record_event()
        while not done.query():
            yield

    def keep_up(self) -> Iterator[None]:  # noqa: D102
        earlier, self.mark = self.mark, self.stream.record_event()
        while earlier and not earlier.query():
            yield

    def record(self, function: Callable[[], None], draws: torch.Generator) -> Callable[[], None]:  # noqa: D102
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(draws)  # its seed and position are then read at each replay
        # They are replayed one after the other and pass nothing on in it, so that the order does not matter.
        pool = self.graphs[0].pool() if self.graphs else None
        with no_collection(), torch.cuda.graph(graph, pool=pool, stream=self.stream):
            function()
        self.graphs.append(graph)
        return graph.replay

    def close(self) -> None:  # noqa: D102
        with suppress(RuntimeError):  # what is wrong with the device was said where it was met
            self.stream.synchronize()
        for graph in self.graphs:
            graph.reset()
        self.graphs.clear()
        torch.cuda.empty_cache()
