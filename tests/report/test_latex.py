"""LaTeX tables: whatever stands in them, a document with nothing but booktabs compiles."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from invented import invented_outcomes, invented_runs

from ablation.analysis.byvariant import RunsByVariant
from ablation.analysis.contrasts import contrast_table
from ablation.report import claimtable, tables
from ablation.report.latex import SIGNS, escape, to_latex
from ablation.study.studyfile import read_study

STUDIES = sorted((Path(__file__).parents[2] / "config/studies").glob("*.yaml"))
PACKAGE = Path(__file__).parents[2] / "src/ablation"
WRITING = ("analysis", "catalogue", "report", "statistics", "study")  # rooms whose texts may come to stand in a table
SMALL = {path.stem: path for path in STUDIES}
SPECIAL = "\\{}$&#_%~^"
NASTY = pd.DataFrame(
    {
        "variant": ["a_b-c.1e-05", "[1 cm]", "* b", r"\input{x} $5 & 6% #7 ~^<|>", '"é" ø µ α Λ 中 ∞ ² ﬁ ş ą \x07'],
        'f(x) = "²√3" [95 %]': ["−1.00 [−2.00, +3.00]", "–", "≥ 3 ± 0", "", "1"],
    }
)


def compiled(folder, *texts):
    """What pdflatex says of a document of tables with nothing but booktabs; it has to come to its end."""
    lines = [r"\documentclass{article}", r"\usepackage{booktabs}", r"\begin{document}", *texts, r"\end{document}"]
    (folder / "document.tex").write_text("\n".join(lines), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-2000:]
    return said


def latex_of(path):
    """The comparison of a study that nobody ran, and its verdicts."""
    plan = read_study(path)
    plan = plan.settled(dict.fromkeys(plan.questions, 8))
    rng, runs = np.random.default_rng(0), invented_runs(plan)
    metrics = {*plan.study.metrics, *(claim.metric for claim in plan.study.claims.values())} - {*runs}
    runs = runs.assign(**{name: rng.uniform(size=len(runs)) for name in sorted(metrics)})
    comparison = tables.comparison(plan, runs, contrast_table(plan, RunsByVariant(runs)))
    text = tables.to_latex(tables.readable(plan, comparison), tables.caption(plan, runs), f"tab:{plan.name}")
    return text, claimtable.to_latex(invented_outcomes(plan, runs))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5 %", r"a\_b \& 5 \%"),
        ("−1.5 ± 2", r"$-$1.5 $\pm$ 2"),
        ("\\x{}", r"\textbackslash{}x\{\}"),
        ("é ñ ß", "é ñ ß"),
        ("α λ ς Ω", r"$\alpha$ $\lambda$ $\varsigma$ \texttt{U+03A9}"),
        ("10² ﬁ ½", r"10$^2$ fi \texttt{U+00BD}"),
        ("ą 中", r"\texttt{U+0105} \texttt{U+4E2D}"),
        ("a\x00b\nc", "ab c"),
    ],
)
def test_a_text_is_set_as_it_stands(text, expected):
    assert escape(text) == expected


def test_every_character_has_a_form_that_latex_reads():
    for character in map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x11000)]):
        text = escape(character)
        assert text.isascii() or text in SIGNS.values() or text == character, hex(ord(character))
        # Without what we wrote ourselves, nothing is left that LaTeX would read as more than a letter.
        plain = re.sub(r"\\[a-zA-Z]+(\{[^{}]*\})?|\\[{}$&%#_,]|\$[^$]*\$|~", "", text)
        assert not set(plain) & set(SPECIAL), (character, text)


def test_every_sign_that_we_write_ourselves_has_a_form_of_its_own():
    texts = [path.read_text(encoding="utf-8") for room in WRITING for path in (PACKAGE / room).rglob("*.py")]
    signs = {sign for text in texts for sign in text if not sign.isascii()}
    assert {"÷", "−", "±"} < signs
    assert [sign for sign in sorted(signs) if "U+" in escape(sign)] == []


def test_every_row_and_heading_has_a_cell_for_every_column():
    text = to_latex(NASTY, "50 % of_all", "tab:x", ["variant"])
    body = text.partition("\\toprule\n")[2].partition("\\bottomrule")[0]
    rows = [row for row in re.split(r" \\\\\n", body.replace("\\midrule\n", "")) if row]
    assert len(rows) == 1 + len(NASTY)
    assert all(len(re.findall(r"(?<!\\)&", row)) == len(NASTY.columns) - 1 for row in rows)
    assert r"{@{}lr@{}}" in text
    assert r" \\ {}[95 \%]" in text, "what stands in brackets stays together, and is no argument of the line's end"
    assert not re.search(r"\\\\\s*[\[*]", text)
    assert r"\caption{50 \% of\_all}" in text


def test_a_paper_has_room_for_effects_and_failures_and_not_for_costs():
    text, _ = latex_of(SMALL["growth_rate"])
    assert r"densenet-growth\_rate.1 " in text
    assert "1 diverged, 2 stuck" in text
    assert "training (s)" not in text
    assert r"parameters \\ (k)" in text
    assert "parameters &" not in text


@pytest.mark.ways
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex with booktabs")
def test_all_tables_compile(tmp_path):
    texts = [to_latex(NASTY, 'Odd "names": é, α, 中, \\', "tab:nasty", ["variant"], {"variant": 0.2})]
    texts += [text for path in STUDIES for text in latex_of(path)]
    said = compiled(tmp_path, *(f"{text}\\clearpage" for text in texts))
    assert re.search(rf"\({len(texts)} pages", said)
    assert "Missing character" not in said
