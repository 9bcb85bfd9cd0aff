"""The table of `run.py`, from what it has found; what was not measured stays empty."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HEAD = """\
# Training on a GPU

Written by `benchmarks/gpu/run.py`, which says how to measure it. Every number was measured on the machine named here.

"""
NOTHING = "Not measured yet: no GPU was at hand.\n"
Found = Mapping[str, Mapping[str, Any]]


def _speeds(found: Found) -> Iterator[str]:
    """Write a table of each network: images a second by way and number of seeds, against one eager and one captured run."""
    speeds = {name: value["found"] for name, value in found.items() if name.startswith("speed/") and "found" in value}
    peak = found.get("peaks", {}).get("found", {})
    for case in dict.fromkeys(name.split("/")[1] for name in speeds):
        yield f"\n## {case}\n\n| way | seeds | images/s | against one eager | against one captured | of the peak | MB |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        base = [speeds.get(f"speed/{case}/{way}/1", {}).get("images_per_second") for way in ("eager", "graph")]
        for name, value in speeds.items():
            _, of, way, seeds = name.split("/")
            if of != case:
                continue
            rate = value["images_per_second"]
            against = " | ".join(f"{rate / one:.2f}" if one else "" for one in base)
            arithmetic = next((kind for kind in ("tf32", "bf16") if kind in way), "float32")
            best = peak.get(f"{arithmetic}_tera_operations_per_second")
            share = f"{100 * value['tera_operations_per_second'] / best:.1f} %" if best else ""
            memory = f"{value['megabytes']:.0f}" if value["megabytes"] else ""
            note = f" (not captured: {'; '.join(value['refused'])})" if value["refused"] else ""
            yield f"| {way}{note} | {seeds} | {rate:,.0f} | {against} | {share} | {memory} |"


def _bits(found: Found) -> Iterator[str]:
    """Write which ways of training give the bits of a plain one, and which operations torch names as without an order."""
    rows = {name[5:]: value["found"] for name, value in found.items() if name.startswith("bits/") and "found" in value}
    if not rows:
        return
    ways = {"again": "trained again", "resumed": "resumed", "captured": "captured", "side_by_side": "side by side"}
    yield f"\n## The bits of a plain training\n\n| network | {' | '.join(ways.values())} | not captured | said by torch |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in rows.items():
        same = " | ".join("same" if row[way] else "**other**" for way in ways)
        yield f"| {name} | {same} | {'; '.join(row['refused'])} | {'; '.join(row['said'])} |"


def _protocol(found: Found) -> Iterator[str]:
    """Write how far the runs by the published protocol came."""
    for name, value in found.items():
        if not name.startswith("protocol/") or "found" not in value:
            continue
        yield "\n## The published protocol (He et al. 2015, table 6: ResNet-20 8.75 % test error)\n"
        yield "| run | epochs | validation accuracy | test error |\n|---|---:|---:|---:|"
        for label, row in value["found"].items():
            accuracy = "" if row["validation_accuracy"] is None else f"{100 * row['validation_accuracy']:.2f} %"
            error = f"{100 * row['test_error']:.2f} %" if "test_error" in row else ""
            yield f"| {label} | {row['epochs']} of {row['of']} | {accuracy} | {error} |"


def _failed(found: Found) -> Iterator[str]:
    errors = {name: value["error"] for name, value in found.items() if "error" in value}
    if errors:
        yield "\n## Failed\n"
        yield from (f"- {name}: {' '.join(error.split())[:300]}" for name, error in errors.items())


def write_page(path: Path, machine: Mapping[str, Any], found: Found) -> None:
    """Write the page."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items())]
    if "found" in found.get("peaks", {}):
        lines += ["", "At its best, measured: "]
        lines[-1] += ", ".join(f"{key.replace('_', ' ')} {value:.3g}" for key, value in found["peaks"]["found"].items())
    lines += [*_speeds(found), *_bits(found), *_protocol(found), *_failed(found)]
    path.write_text(HEAD + ("\n".join(lines) + "\n" if found else NOTHING), encoding="utf-8")
