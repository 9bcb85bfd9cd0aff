"""The folder of pages: a study's content as JSON with its figure, and what follows from the content of all pages."""

import shutil
from pathlib import Path
from typing import Any

from ablation.report.figures.table import FIGURES, figures_of
from ablation.report.studypages import markdown
from ablation.report.studypages.content import FORMAT
from ablation.study.plan import Plan
from ablation.support.files import read_json, write_whole
from ablation.support.wording import UserError

MOST_BYTES = 150_000  # of a figure
TELLING = ("effects", "runs")  # figures by how much they tell, the first one first


class PublishError(UserError):
    """A study cannot be published; the message says why and what to do."""


def choose_figure(plan: Plan, figures: Path) -> tuple[Path, str] | None:
    """Return the most telling figure that is small enough, and its caption; as SVG if that is, else as PNG."""
    for name in (name for name in TELLING if name in figures_of(plan)):
        for path in (figures / f"{name}.svg", figures / f"{name}.png"):
            if path.is_file() and path.stat().st_size <= MOST_BYTES:
                return path, FIGURES[name].caption
    return None


def place_figure(figure: Path | None, pages: Path, name: str) -> None:
    """Put a figure beside its page, in the place of one that was there."""
    for suffix in (".svg", ".png"):
        if figure and figure.suffix == suffix:
            shutil.copyfile(figure, pages / f"{name}{suffix}")
        else:
            (pages / f"{name}{suffix}").unlink(missing_ok=True)


def read_page(path: Path) -> dict[str, Any]:
    """Read the content of a page; raises PublishError."""
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise PublishError(f"{path}: found no page of format {FORMAT}, expected one; publish the study")
    return content


def read_pages(pages: Path) -> list[dict[str, Any]]:
    """Read the content of all pages, in alphabetical order."""
    return [read_page(path) for path in sorted(pages.glob("*.json"))]


def follow_up(pages: Path, readme: Path, studies: Path) -> dict[Path, str]:
    """Return what follows from the content of all pages: each page, their index, the README and the headers of studies.

    Parameters
    ----------
    pages : Path
        Their folder.
    readme : Path
        Gets the table of studies, where it is and has the marks for it.
    studies : Path
        Folder of the study files, whose headers state the price.

    Returns
    -------
    dict of Path to str
        What each file is to say.
    """
    found = read_pages(pages)
    names = {content["study"] for content in found}
    others = sorted(path.stem for path in studies.glob("*.yaml") if path.stem not in names)
    texts = {pages / f"{content['study']}.md": markdown.page(content) for content in found}
    texts[pages / "README.md"] = markdown.index(found, others)
    for content in found:
        path = studies / f"{content['study']}.yaml"
        if path.is_file():
            texts[path] = markdown.with_cost(path.read_text(encoding="utf-8"), content)
    if readme.is_file():
        folder = f"{pages.relative_to(readme.parent).as_posix()}/"
        text = markdown.with_table(readme.read_text(encoding="utf-8"), found, others, folder)
        texts |= {readme: text} if text is not None else {}
    return texts


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with write_whole(path) as file:
        file.write(text.encode())
