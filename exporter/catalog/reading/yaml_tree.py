"""Parser of YAML text into plain data that remembers the place of each value.

Parser events are read one by one onto a separate stack, because PyYAML's own composer recurses (a file of
100,000 `[` would crash the interpreter) and expands aliases without a limit. Scalars follow YAML 1.2's core
schema: only `true` and `false` are booleans, `5432:5432` and `2026-01-01` stay text, `off` stays text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from exporter.catalog.reading.problems import path_text
from exporter.catalog.reading.yaml_nodes import Node, merge_into, merge_sources
from exporter.catalog.reading.yaml_scalars import YamlError, place, scalar_value, unknown_tag
from exporter.catalog.reading.yaml_syntax import begins_comment, control_character, syntax_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.catalog.reading.yaml_scalars import Scalar

MAX_BYTES = 5 * 1024 * 1024

MAX_DEPTH = 64

MAX_NODES = 2_000_000
"""Values after aliases are expanded: ten times what a catalog of 10,000 services holds."""

_MAX_ALIASED_NODES = 500_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Rules by which the files of one program use YAML."""

    scalar: Callable[[Any], Scalar]
    """The value of a scalar's event. Raises YamlError for what is not allowed."""
    empty: str
    """What to say of a file without a value."""
    second_document: str | None = None
    """What to say of a second document; None: several are allowed."""
    tags: frozenset[str] | None = frozenset()
    """Tags of the program's own, which nodes keep; None: any."""
    give_way: Mapping[str, str] = field(default_factory=dict)
    """A key with one of these tags yields to the same key of a merged mapping, which gets the tag on the right."""


CATALOG = Dialect(
    scalar_value,
    empty="is empty; a catalog names at least a project and its services",
    second_document="a second document begins here; a catalog is one document",
)


def parse(text: str) -> tuple[Node, list[YamlError]]:
    """Parse one document whose root is a mapping. Return it, and every duplicate key.

    Raises:
        YamlError: the text is not such a document.
    """
    documents, duplicates = parse_documents(text, CATALOG)
    return documents[0], duplicates


def parse_documents(text: str, dialect: Dialect) -> tuple[list[Node], list[YamlError]]:
    """Read all documents; the root of each is a mapping. Returns them, at least one, and every duplicate key.

    Raises:
        YamlError: the text is not that.
    """
    control = control_character(text)
    if control:
        raise control
    builder = _Builder(text, dialect)
    try:
        return builder.build()
    except yaml.MarkedYAMLError as error:
        raise syntax_error(error, text, builder.opened) from None
    except yaml.YAMLError:
        raise YamlError("is not YAML: it cannot be read", 1, 1) from None


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read."""

    node: Node
    anchor: str | None
    index: int
    """Index in the text at which it begins."""
    key: tuple[str, int, int] | None = None
    merges: list[Node] | None = None


class _Builder:
    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect
        self._loader = _LOADER(text)
        self._anchors: dict[str, Node | None] = {}
        self._stack: list[_Open] = []
        self._roots: list[Node] = []
        self._nodes = 0
        self._aliased = 0
        self._errors: list[YamlError] = []

    @property
    def opened(self) -> int | None:
        """Return the index of the innermost open bracket; None if no bracket is open."""
        if not self._stack:
            return None
        index = self._stack[-1].index
        return index if self._text[index : index + 1] in ("{", "[") else None

    def build(self) -> tuple[list[Node], list[YamlError]]:
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        try:
            while (event := self._loader.get_event()) is not None:
                handler = handlers.get(type(event))
                if handler:
                    handler(event)
        finally:
            self._loader.dispose()
        roots = [root for root in self._roots if root.value is not None]
        if not roots:
            raise YamlError(self._dialect.empty, 1, 1)
        for root in roots:
            if not isinstance(root.value, dict):
                raise YamlError("is not a mapping of keys to values", root.line, root.column)
        return roots, self._errors

    def _document(self, event: Any) -> None:
        if self._roots and self._dialect.second_document:
            raise YamlError(self._dialect.second_document, *place(event))
        self._anchors.clear()

    def _scalar(self, event: Any) -> None:
        line, column = place(event)
        parent = self._stack[-1] if self._stack else None
        if parent and parent.key is None and parent.node.keys is not None:
            self._key(parent, event, line, column)
            return
        node = Node(self._dialect.scalar(event), line, column, tag=self._own_tag(event))
        if not event.value:
            node.comment = begins_comment(self._text, event.end_mark.index)
        self._add(node, event.anchor)

    def _key(self, parent: _Open, event: Any, line: int, column: int) -> None:
        key: str = event.value
        merge = key == "<<" and event.implicit[0]
        if not merge and key in parent.node.keys:  # type: ignore[operator] # the caller has checked that it is a mapping
            first = parent.node.keys[key][0]  # type: ignore[index] # as above
            self._errors.append(
                YamlError(
                    f"duplicate key; the first is on line {first}",
                    line,
                    column,
                    self._path(key),
                )
            )
        parent.key = (key, line, column)
        if merge and parent.merges is None:
            parent.merges = []
        if event.anchor:
            self._anchors[event.anchor] = Node(key, line, column)

    def _mapping(self, event: Any) -> None:
        line, column = place(event)
        self._open(Node({}, line, column, {}, tag=self._own_tag(event)), event)

    def _sequence(self, event: Any) -> None:
        line, column = place(event)
        self._open(Node([], line, column, tag=self._own_tag(event)), event)

    def _open(self, node: Node, event: Any) -> None:
        if event.tag not in _CONTAINER_TAGS and node.tag is None:
            raise unknown_tag(event)
        parent = self._stack[-1] if self._stack else None
        if parent and parent.key is None and parent.node.keys is not None:
            raise YamlError("a key must be text, not a list or a mapping", node.line, node.column)
        self._check_depth(1, node.line, node.column)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(node, event.anchor, event.start_mark.index))

    def _own_tag(self, event: Any) -> str | None:
        tag: str | None = event.tag
        if tag is None or not tag.startswith("!") or tag == "!":
            return None
        return tag if self._dialect.tags is None or tag in self._dialect.tags else None

    def _check_depth(self, levels: int, line: int, column: int) -> None:
        if len(self._stack) + levels > MAX_DEPTH:
            raise YamlError(f"is nested more than {MAX_DEPTH} levels deep", line, column)

    def _end(self, _event: Any) -> None:
        done = self._stack.pop()
        if done.merges:
            merge_into(done.node, done.merges, self._dialect.give_way)
        done.node.depth += 1
        self._add(done.node, done.anchor)

    def _alias(self, event: Any) -> None:
        line, column = place(event)
        parent = self._stack[-1] if self._stack else None
        if event.anchor not in self._anchors:
            raise YamlError(f"alias *{event.anchor} has no anchor &{event.anchor} before it", line, column)
        node = self._anchors[event.anchor]
        if node is None:
            raise YamlError(f"alias *{event.anchor} is inside its own value", line, column)
        if parent and parent.key is None and parent.node.keys is not None:
            raise YamlError("an alias cannot be a key", line, column)
        # A chain of aliases can be deep although no part of it is.
        self._check_depth(node.depth, line, column)
        self._aliased += node.size
        if self._aliased > _MAX_ALIASED_NODES:
            sentence = f"aliases expand to more than {_MAX_ALIASED_NODES} values; write them out or use fewer"
            raise YamlError(sentence, line, column)
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YamlError(f"holds more than {MAX_NODES} values", node.line, node.column)
        if anchor:
            self._anchors[anchor] = node
        if not self._stack:
            self._roots.append(node)
            return
        parent = self._stack[-1]
        container = parent.node
        container.size += node.size
        container.depth = max(container.depth, node.depth)
        if isinstance(container.value, list):
            container.value.append(node)
            return
        assert isinstance(container.value, dict)  # noqa: S101 - only containers are on the stack
        assert container.keys is not None  # noqa: S101 - every mapping has places of keys
        assert parent.key is not None  # noqa: S101 - a value follows its key
        key, line, column = parent.key
        parent.key = None
        if key == "<<" and parent.merges is not None and key not in container.keys:
            parent.merges += merge_sources(node, line, column)
            return
        container.value[key] = node
        container.keys[key] = (line, column)

    def _path(self, key: str) -> str:
        parts: list[str | int] = []
        for outer in self._stack[:-1]:
            value = outer.node.value
            if isinstance(value, list):
                parts.append(len(value))
            elif outer.key:
                parts.append(outer.key[0])
        return path_text((*parts, key))


_CONTAINER_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
