r"""Tables for papers: LaTeX that compiles as it is, whatever stands in names and captions; needs the package booktabs.

A table wider than the line is scaled down to it where the package graphicx is there, too.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from types import MappingProxyType

import pandas as pd

HEADING = 11  # characters of a line of a heading, which is broken between words
SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "{}$&%#_"},
    **{sign: f"${sign}$" for sign in "<>|"},
    '"': "''",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "×": r"$\times$",
    "÷": r"$\div$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "→": r"$\rightarrow$",
    "▸": r"$\triangleright$",
    "◂": r"$\triangleleft$",
    "←": r"$\leftarrow$",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "…": r"\dots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    **{letter: letter for letter in "ÆæŒœØøßŁłıÅå"},
}
# Accents that every font encoding of LaTeX has: an ogonek, for one, is none of them.
ACCENTS = set("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")


def escape(text: str) -> str:
    """Write a text so that LaTeX sets it as it stands; a character that no font of it has is written by its number."""
    return "".join(map(_escaped, unicodedata.normalize("NFC", " ".join(text.split(" ")))))


def _escaped(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    if character.isspace():
        return " "
    if character.isascii():
        return character if character.isprintable() else ""
    plain = unicodedata.normalize("NFKD", character)
    if plain[0].isascii() and plain[0].isalpha() and len(plain) == 2 and plain[1] in ACCENTS:
        return character
    if plain.isascii() and plain.isprintable():
        return f"$^{plain}$" if "<super>" in unicodedata.decomposition(character) else escape(plain)
    kind, _, name = unicodedata.name(character, "").rpartition(" LETTER ")
    name = {"LAMDA": "LAMBDA", "FINAL SIGMA": "VARSIGMA"}.get(name, name)
    if kind == "GREEK SMALL" and name.isalpha() and name != "OMICRON":
        return rf"$\{name.lower()}$"
    return rf"\texttt{{U+{ord(character):04X}}}"


def to_latex(
    table: pd.DataFrame,
    caption: str,
    label: str,
    left: Collection[str],
    wrapped: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Write a table of texts.

    Parameters
    ----------
    table : pandas.DataFrame
        Texts, as people read them.
    caption : str
        Which stands above the table.
    label : str
        For references.
    left : collection of str
        The columns that are aligned to the left; the others are to the right.
    wrapped : mapping of str to float, optional
        Columns whose texts are broken into lines, with the share of the line that they have.
    """
    sides = ["l" if name in {*left, *wrapped} else "r" for name in table]
    heading = " & ".join(_heading(name, side) for name, side in zip(table, sides, strict=True))
    rows = [
        " & ".join(_cell(cell, wrapped.get(name)) for name, cell in zip(table, row, strict=True))
        for row in table.itertuples(index=False)
    ]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption)}}}",
        rf"\label{{{label}}}",
        r"\medskip",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\sbox0{{\begin{{tabular}}{{@{{}}{''.join(sides)}@{{}}}}",
        r"\toprule",
        rf"{heading} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\ifdim\wd0>\linewidth\ifdefined\resizebox\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi\else\usebox0\fi",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str, width: float | None = None) -> str:
    r"""Write a text that may follow the end of a row: in brackets or with an asterisk, it would be an argument of ``\\``."""
    if width:
        whole = re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
        return rf"\parbox[t]{{{width:g}\linewidth}}{{\raggedright {escape(whole)}\strut}}"
    return f"{{}}{escape(text)}" if text.startswith(("[", "*")) else escape(text)


def _heading(text: str, side: str) -> str:
    """Write a heading on as many lines as its words take, at the foot of its cell."""
    lines = [""]
    for word in re.split(r" (?![^(\[]*[)\]])", text):  # what stands in brackets stays together
        joined = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], joined] if len(joined) <= HEADING or not lines[-1] else [*lines, word]
    if len(lines) == 1:
        return _cell(text)
    stacked = r" \\ ".join(map(_cell, lines))
    return rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{stacked}\end{{tabular}}"
