"""Templates and expressions of a mapping: Jinja2, sandboxed, checked when the settings are read.

A template is text with `{{ expressions }}`; one that is a single expression gives that
expression's value, not its text. Nothing (None) is written as empty text.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any, Final
from urllib.parse import quote

from jinja2 import (
    ChainableUndefined,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    meta,
    nodes,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from zimun_sync.remotes.filters import FILTERS, FilterError

_MARKS: Final = ("{{", "{%", "{#")
#: Compiling one takes milliseconds, and a section of settings has hundreds, many of them alike.
_REMEMBERED: Final = 4096
_LONE: Final = ("variable_begin", "variable_end")
_KEPT_GLOBALS: Final = ("dict", "namespace", "range")


class ExpressionError(ValueError):
    """A template or expression is wrong or cannot be filled in; says which one and where."""


@dataclass(frozen=True, slots=True)
class Template:
    """A well-formed template or expression.

    Args:
        text: as it was written.
        names: what it refers to, dotted as far as that is fixed: `status`, `service.name`.
        evaluate: gives its value.
    """

    text: str
    names: frozenset[str]
    evaluate: Callable[[Mapping[str, Any]], Any]

    def render(self, names: Mapping[str, Any]) -> Any:
        """Its value with these names.

        Raises:
            ExpressionError: a name is not there, or a value is not what a filter takes. The
                message holds no value.
        """
        try:
            return self.evaluate(names)
        except (TemplateError, FilterError) as error:
            raise ExpressionError(f"`{self.text}`: {error}") from None
        except Exception as error:  # noqa: BLE001 - an expression may fail in any way
            raise ExpressionError(f"`{self.text}`: {type(error).__name__}") from None


@lru_cache(_REMEMBERED)
def compile_template(text: str, *, quoted: bool = False) -> Template:
    """A template from text; text without `{{` and `{%` stands for itself.

    Args:
        text: the template.
        quoted: percent-encode what its expressions give, so that none adds a path or a query;
            the value is then always text.

    Raises:
        ExpressionError: it is not well formed.
    """
    if not any(mark in text for mark in _MARKS):
        return Template(text, frozenset(), lambda _: text)
    environment = _environment(strict=True, quoted=quoted)
    lone = None if quoted else _lone(environment, text)
    if lone is not None:
        return _expression(environment, text, lone)
    _check(environment, text)
    return Template(text, names_used(text), environment.from_string(text).render)


@lru_cache(_REMEMBERED)
def compile_expression(text: str, *, strict: bool = True) -> Template:
    """A template from an expression, with or without `{{ }}` around it.

    Args:
        text: the expression.
        strict: a name that is not there is an error; otherwise it counts as nothing, and so
            does all that is below it.

    Raises:
        ExpressionError: it is not well formed.
    """
    environment = _environment(strict=strict, quoted=False)
    lone = _lone(environment, text) if "{{" in text else None
    return _expression(environment, text, text if lone is None else lone)


def names_used(text: str) -> frozenset[str]:
    """What a template refers to, dotted as far as that is fixed: `status`, `service.name`.

    Raises:
        ExpressionError: it is not well formed.
    """
    environment = _environment(strict=True, quoted=False)
    _check(environment, text)
    tree = environment.parse(text)
    roots = meta.find_undeclared_variables(tree)
    found = {path for node in tree.iter_child_nodes() for path in _paths(node)}
    return frozenset(path for path in found if path.partition(".")[0] in roots)


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's language, in which `body.items` is what the mapping holds, not its method."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@cache
def _environment(*, strict: bool, quoted: bool) -> _Environment:
    """The language, in one of its kinds."""
    made = _Environment(
        undefined=StrictUndefined if strict else ChainableUndefined,
        finalize=_quoted if quoted else _written,
        keep_trailing_newline=True,
    )
    for name in set(made.globals) - set(_KEPT_GLOBALS):
        del made.globals[name]
    made.filters.update(FILTERS)
    return made


def _written(value: Any) -> Any:
    return "" if value is None else value


def _quoted(value: Any) -> str:
    return quote(str(_written(value)), safe="")


def _lone(environment: ImmutableSandboxedEnvironment, text: str) -> str | None:
    """The expression, if a template is one `{{ expression }}` and nothing else."""
    try:
        tokens = list(environment.lex(text.strip()))
    except TemplateSyntaxError:
        return None  # the check of the whole template says what is wrong
    kinds = [kind for _, kind, _ in tokens]
    if kinds.count("variable_begin") != 1 or (kinds[0], kinds[-1]) != _LONE:
        return None
    return "".join(value for _, _, value in tokens[1:-1])


def _expression(environment: ImmutableSandboxedEnvironment, text: str, source: str) -> Template:
    try:
        compiled = environment.compile_expression(source, undefined_to_none=False)
    except TemplateSyntaxError as error:
        said = str(error.message).replace("chunk after expression", "more after its end")
        raise ExpressionError(f"`{text}`: {said}") from None
    return Template(text, names_used(f"{{{{ {source} }}}}"), partial(_native, compiled))


def _native(compiled: Callable[[Mapping[str, Any]], Any], names: Mapping[str, Any]) -> Any:
    value = compiled(names)
    if isinstance(value, Undefined):
        bool(value)  # of a strict undefined this is an error that names it
        return None
    if callable(value):
        return None  # `body.items` of a body that has none
    return list(value) if isinstance(value, Iterator) else value


def _check(environment: ImmutableSandboxedEnvironment, text: str) -> None:
    """Refuse a template that is not well formed, and name the first expression at fault."""
    try:
        environment.parse(text)
    except TemplateSyntaxError as error:
        where = _fault(environment, text) or f"line {error.lineno}"
        raise ExpressionError(f"{where}: {error.message}") from None


def _fault(environment: ImmutableSandboxedEnvironment, text: str) -> str:
    """Which `{{ expression }}` is not well formed; empty if none of them by itself."""
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start)
        piece = text[start:] if end < 0 else text[start : end + 2]
        try:
            environment.parse(piece)
        except TemplateSyntaxError:
            return f"`{piece}` at character {start + 1}"
        start = text.find("{{", start + 2)
    return ""


def _paths(node: nodes.Node) -> Iterator[str]:
    """Dotted paths that begin with a name, of a node and all below it."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        # `name.upper()`: what is called is no part of the path.
        further = [node.dyn_args, node.dyn_kwargs]
        below = [node.node.node, *node.args, *node.kwargs, *filter(None, further)]
    else:
        path = _path(node)
        if path:
            yield path
            return
        below = list(node.iter_child_nodes())
    for each in below:
        yield from _paths(each)


def _path(node: nodes.Node) -> str:
    match node:
        case nodes.Name(ctx="load"):
            return str(node.name)
        case nodes.Getattr():
            above = _path(node.node)
            return f"{above}.{node.attr}" if above else ""
        case nodes.Getitem(arg=nodes.Const(value=str() as step)):
            above = _path(node.node)
            return f"{above}.{step}" if above else ""
        case _:
            return ""
