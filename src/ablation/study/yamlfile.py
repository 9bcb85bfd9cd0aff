"""Reading YAML by the core schema of version 1.2, within bounds: every value with its line, and nothing but plain data.

A document is composed from the events of a parser, so that its bounds are checked while it is read: what an alias
stands for is counted as often as it stands there, and is never copied. `on` and `no` are words, `010` is ten, `1:30` and
`2020-01-01` are texts. Beside the core schema there is `<<`, which takes over the keys of another mapping.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from ablation.study.schema import Problem
from ablation.support.wording import cut, shown

MOST_DEPTH = 40  # levels of nesting
MOST_VALUES = 100_000  # values and keys, aliases counted as often as they stand
MOST_DIGITS = 100  # characters of a number
WORDS = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
WHOLE = re.compile(r"[-+]?[0-9]+")
OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Node:
    """A value of a document.

    Attributes
    ----------
    content : object
        Plain data: None, true or false, a number, a text, a list, or a dict with texts as keys.
    line : int
        Where it stands; of a value in a mapping, where its key stands.
    inner : mapping
        The values of a list by position, or of a mapping by key.
    size : int
        How many values and keys it consists of.
    depth : int
        How deeply these are nested.
    """

    content: Any
    line: int
    inner: Mapping[str | int, "Node"] = field(default_factory=dict)
    size: int = 1
    depth: int = 1

    def line_of(self, key: tuple) -> int:
        """Return the line of a key or, where it has none, of what is around it."""
        node = self
        for part in key:
            if part not in node.inner:
                break
            node = node.inner[part]
        return node.line


class YamlError(Exception):
    """A text that is not YAML; the message says where and why."""


def compose(text: str) -> Node:
    """Read a text of one YAML document.

    Raises
    ------
    YamlError
        If it is not YAML.
    Problem
        If it holds what no file of ours may: tags, keys that are no words or stand twice, several documents, numbers that
        no computer holds, control characters; or more than the bounds allow.
    """
    try:
        return _Composer(text).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(
            f", line {line}: found the character U+{ord(text[error.position]):04X}, expected text"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = "found a tab, expected spaces" if "'\\t'" in (error.problem or "") else error.problem or error.context
        raise YamlError(f"{where}: not valid YAML: {cut(what, 200)}") from None
    except (yaml.YAMLError, ValueError, OverflowError):  # an escaped character or a version that there is not
        raise YamlError(": not valid YAML: found an escape or a directive that there is not") from None


class _Composer:
    """Composes the events of a text to nodes."""

    def __init__(self, text: str):
        self.events: Iterator[yaml.Event] = yaml.parse(text, yaml.SafeLoader)
        self.anchors: dict[str, Node | None] = {}  # None while the anchored value itself is composed
        self.size = 0

    def document(self) -> Node:
        """Compose the one document of the text."""
        root = Node(None, 1)
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.DocumentStartEvent):
            root = self.value(next(self.events), ())
            next(self.events)  # the end of the document
            following = next(self.events)
            if isinstance(following, yaml.DocumentStartEvent):
                line = following.start_mark.line + 1
                raise Problem((), f"found a second document (---, line {line}), expected one")
        return root

    def value(self, event: yaml.Event, key: tuple) -> Node:
        """Compose the value that begins with an event."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, key, line)
        self.count(1, key, line)
        if len(key) >= MOST_DEPTH:
            raise Problem(key, f"found a value nested more than {MOST_DEPTH} deep (line {line}), expected less")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise Problem(key, f"found the tag {shown(tag)} (line {line}), expected a value without one")
        if event.anchor:
            if event.anchor in self.anchors:
                raise Problem(key, f"found the anchor {shown(event.anchor)} twice (line {line}), expected it once")
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(_scalar(event, key, line), line)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(key, line)
        else:
            node = self.mapping(key, line)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def count(self, size: int, key: tuple, line: int) -> None:
        """Count values and refuse too many."""
        self.size += size
        if self.size > MOST_VALUES:
            raise Problem(key, f"found more than {MOST_VALUES:,} values (line {line}; aliases count), expected fewer")

    def alias(self, event: yaml.AliasEvent, key: tuple, line: int) -> Node:
        """Return what an alias stands for."""
        if event.anchor not in self.anchors:
            raise Problem(key, f"found the alias *{cut(event.anchor)} (line {line}) of an anchor that there is not")
        node = self.anchors[event.anchor]
        if node is None:
            raise Problem(key, f"found a reference to itself (line {line})")
        self.count(node.size, key, line)
        if len(key) + node.depth > MOST_DEPTH:
            raise Problem(key, f"found a value nested more than {MOST_DEPTH} deep (line {line}), expected less")
        return node

    def sequence(self, key: tuple, line: int) -> Node:
        """Compose a list."""
        before, nodes = self.size, []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            nodes.append(self.value(event, (*key, len(nodes))))
        depth = 1 + max((node.depth for node in nodes), default=0)
        content = [node.content for node in nodes]
        return Node(content, line, dict(enumerate(nodes)), 1 + self.size - before, depth)

    def mapping(self, key: tuple, line: int) -> Node:
        """Compose a mapping; keys that it states itself go before those that it takes over."""
        before, nodes, others = self.size, {}, []
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            at = event.start_mark.line + 1
            name = self.name(event, key, at)
            inner = (*key, name)
            if name in nodes or (name == "<<" and others):
                raise Problem(inner, f"found the key {shown(name)} twice (line {at}), expected it once")
            node = self.value(next(self.events), inner)
            if name == "<<" and event.implicit[0]:
                others = list(node.inner.values()) if isinstance(node.content, list) else [node]
                if not others or not all(isinstance(other.content, dict) for other in others):
                    raise Problem(
                        inner, f"found {shown(node.content)} (line {at}), expected a mapping to take keys from"
                    )
            else:
                nodes[name] = replace(node, line=at)
        for other in others:
            nodes = {**nodes, **{name: node for name, node in other.inner.items() if name not in nodes}}
        depth = 1 + max((node.depth for node in nodes.values()), default=0)
        content = {name: node.content for name, node in nodes.items()}
        return Node(content, line, nodes, 1 + self.size - before, depth)

    def name(self, event: yaml.Event, key: tuple, line: int) -> str:
        """Return a key, which is a text whatever it looks like."""
        if not isinstance(event, yaml.ScalarEvent):
            raise Problem(key, f"found a list or mapping as a key (line {line}), expected a word")
        if event.tag is not None or event.anchor:
            raise Problem(key, f"found a tag or anchor before a key (line {line}), expected a word")
        self.count(1, key, line)
        return _text(event.value, key, line)


def _text(text: str, key: tuple, line: int) -> str:
    """Return a text that can be written anywhere, or raise the Problem that it cannot."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise Problem(key, f"found the character U+{ord(character):04X} (line {line}), expected text")
    return text


def _scalar(event: yaml.ScalarEvent, key: tuple, line: int) -> Any:
    """Return the value of a scalar by the core schema of YAML 1.2; what is quoted is a text."""
    text = event.value
    if event.style:
        return _text(text, key, line)
    if text in WORDS:
        return WORDS[text]
    if NO_NUMBER.fullmatch(text):
        raise Problem(key, f"found {text} (line {line}), expected a finite number")
    number = WHOLE.fullmatch(text) or OTHER_BASE.fullmatch(text) or DECIMAL.fullmatch(text)
    if not number:
        return _text(text, key, line)
    if len(text) > MOST_DIGITS:
        raise Problem(key, f"found a number of {len(text):,} characters (line {line}), expected {MOST_DIGITS} or fewer")
    if WHOLE.fullmatch(text):
        return int(text)
    if OTHER_BASE.fullmatch(text):
        return int(text[2:], {"o": 8, "x": 16}[text[1]])
    value = float(text)
    if value in (float("inf"), float("-inf")) or (not value and re.search("[1-9]", text.lower().partition("e")[0])):
        raise Problem(key, f"found {text} (line {line}), expected a number between 1e-307 and 1e308, or 0")
    return value
