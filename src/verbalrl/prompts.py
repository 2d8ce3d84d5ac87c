"""Prompts: Jinja files, one prompt each, rendered from typed inputs.

Text of tasks, models and memory enters a template as a *value* and is neutralised before, so that
the tags and role markers in a prompt are ours. Whoever renders a template owns its input record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from . import _resources
from .errors import PromptError, UnknownNameError, first_line
from .ids import sha256_json
from .records import GuidanceLine, Record

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

SUFFIX = ".jinja"

TAGS = (
    *("actions", "aspects", "attempt", "candidates", "critique_of_previous", "directions"),
    *("earlier_lessons", "evidence", "example"),
    *("feedback", "goal", "guidance", "history", "lessons", "memos", "notes", "observation"),
    *("conditions", "last_answer", "nominations", "outcome", "previous_output", "problem"),
    *("draft", "earlier_outputs", "plan", "problems", "proposals", "situation", "trades"),
    *("trajectory",),
)
"""The tags of our own prompts and repairs; a test holds this list against the files."""

_TURNS = (
    *("system", "user", "human", "assistant", "developer", "tool", "instructions"),
    *("start_of_turn", "end_of_turn"),
)


def _any_of(names: Iterable[str]) -> str:
    # Characters that show nothing would hide a tag from us, not from a model.
    return "|".join("[\u200b-\u200d\u2060\ufeff\u00ad]*".join(map(re.escape, n)) for n in names)


# Possessive throughout: a text made to match almost must not cost more than its length.
_GAP = "[\\s\u200b-\u200d\u2060\ufeff\u00ad]*+"
_REST = r"(?![\w-]))([^<>＜＞﹤﹥‹›]{0,200}[>＞﹥])?"
_TAG = rf"[<＜﹤]({_GAP}/?{_GAP}(?:{_any_of(TAGS)}){_REST}"
# `List<User>` is code, not a turn: an opening form needs something other than a word before it.
_TURN = rf"(?:(?<!\w)[<＜﹤]|[<＜﹤](?={_GAP}/))({_GAP}/?{_GAP}(?:{_any_of(_TURNS)}){_REST}"
_TOKEN = re.compile(r"[<＜﹤](\s*+[|｜][^<>|｜\n]{1,60}[|｜]\s*|/?s|bos|eos|/?SYS)[>＞﹥]")
_BRACKET = re.compile(r"\[(\s*+/?\s*+INST\s*+)\]", re.IGNORECASE)
_LINE_START = r"(?:\A|(?<=[\n\r\x0b\x0c\x85\u2028\u2029]))[ \t]*+"
_SPEAKER = re.compile(
    rf"({_LINE_START}(?:[-*>#]++[ \t]*+){{0,3}})(system|assistant|user|human|developer|tool)"
    r"(?=(?:[ \t]+(?:prompt|message))?[ \t*]*[:：])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    rf"({_LINE_START}##++[ \t]*+)(instructions?|response|input)(?=[ \t]*[:：])", re.IGNORECASE
)


def neutralise(text: str) -> str:
    """`text` with whatever could pass for one of our tags or for a role marker made harmless.

    It stays readable (`<goal>` becomes `‹goal›`, a leading `System:` becomes `‹System›:`); other
    markup is left alone. Doing it twice changes nothing.
    """
    # Most texts hold none of it: looking for single characters first is ten times as fast.
    if any(mark in text for mark in "<＜﹤"):
        for pattern in _markup():
            text = pattern.sub(_quoted_tag, text)
        text = _TOKEN.sub(r"‹\1›", text)
    if "[" in text:
        text = _BRACKET.sub(r"‹\1›", text)
    if ":" in text or "：" in text:
        text = _SPEAKER.sub(r"\1‹\2›", text)
        text = _HEADING.sub(r"\1‹\2›", text) if "#" in text else text
    return text


@lru_cache(maxsize=1)
def _markup() -> tuple[re.Pattern[str], ...]:
    # Compiled on use: together they are a tenth of making a learner.
    return re.compile(_TAG, re.IGNORECASE), re.compile(_TURN, re.IGNORECASE)


# The history of an episode is rendered again at every step.
_SHORT = 4_000
_remembered = lru_cache(maxsize=2048)(neutralise)


def _quoted_tag(match: re.Match[str]) -> str:
    return f"‹{match[1]}{match[2][:-1]}›" if match[2] else f"‹{match[1]}"


def one_line(text: str) -> str:
    """`text` with all white space folded to single spaces."""
    return " ".join(text.split())


class Line(Record):
    """A lesson as every prompt shows it; see `prompts/_shared/lines.jinja`."""

    alias: int
    name: str = ""
    when: str = ""
    when_not: str = ""
    instruction: str

    @classmethod
    def of(cls, line: GuidanceLine) -> Line:
        """The prompt's form of a guidance line: the same without its id."""
        return cls(
            alias=line.alias,
            name=line.name,
            when=line.when,
            when_not=line.when_not,
            instruction=line.instruction,
        )


class Rendered(Record):
    """A rendered prompt."""

    name: str
    text: str
    sha256: str
    """Of the template and all that it includes, not of the text."""


class PromptLibrary:
    """Renders prompts by name, such as `critic/critique`.

    Args:
        overrides: A folder whose files take the place of the shipped ones, file by file.
    """

    def __init__(self, overrides: Path | None = None) -> None:
        if overrides is not None and not overrides.is_dir():
            raise PromptError(f"prompts: {overrides} is not a folder")
        self.overrides = overrides
        shipped = _resources.root("prompts")
        self._folders = (shipped,) if overrides is None else (overrides, shipped)
        self._engine: ImmutableSandboxedEnvironment | None = None
        # Read once: the hash that is recorded must be that of the text that was rendered.
        self._sources: dict[str, str] = {}
        self._compiled: dict[str, Template] = {}
        self._trees: dict[str, nodes.Template] = {}
        self._shas: dict[str, str] = {}
        self._used: dict[str, frozenset[str]] = {}

    def render(self, name: str, inputs: BaseModel) -> Rendered:
        """The prompt `name` for `inputs`, whose fields are the template's variables.

        Raises:
            PromptError: The file is missing or wrong, or uses a variable that is not declared.
        """
        import jinja2  # noqa: PLC0415 - half of `import verbalrl` would be this one import

        template, sha = self._template(name), self.sha256(name)
        try:
            text = template.render(vars(_value(inputs)))
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise PromptError(f"prompt {name}: {first_line(str(error))}") from error
        return Rendered(name=name, text=text, sha256=sha)

    def sha256(self, name: str) -> str:
        """Hex sha256 of the template `name` and of every file that it includes or imports."""
        if name not in self._shas:
            self._shas[name] = sha256_json({file: self._source(file) for file in self._reach(name)})
        return self._shas[name]

    def shas(self) -> dict[str, str]:
        """`sha256` of every prompt there is, for the record of a run."""
        return {name: self.sha256(name) for name in self.names()}

    def check(self, inputs: Mapping[str, type[BaseModel]], *, exact: bool = False) -> None:
        """Compare the variables of templates with the fields of their inputs, before any is paid.

        Args:
            inputs: By template name, the record that it is rendered from.
            exact: A declared variable that a template does not use is an error too.

        Raises:
            PromptError: A template is missing or wrong, or asks for a variable that it never gets.
        """
        for name, model in inputs.items():
            used, declared = self._variables(name), set(model.model_fields)
            if wrong := sorted(used - declared):
                known = ", ".join(sorted(declared)) or "none"
                raise PromptError(
                    f"prompt {name}: unknown variable {wrong[0]!r} in {self._file(name)}"
                    f"; declared: {known}"
                )
            if exact and (spare := sorted(declared - used)):
                raise PromptError(f"prompt {name}: variable {spare[0]!r} is declared, never used")

    def names(self) -> tuple[str, ...]:
        """All prompts there are, partials left out."""
        found = {
            path.relative_to(folder).as_posix().removesuffix(SUFFIX)
            for folder in self._folders
            for path in folder.rglob(f"*{SUFFIX}")
        }
        return tuple(sorted(n for n in found if not n.startswith("_")))

    def _template(self, name: str) -> Template:
        if name not in self._compiled:
            import jinja2  # noqa: PLC0415 - see `render`

            self.sha256(name)  # reads all that it reaches: what is missing or wrong is named
            try:
                self._compiled[name] = self._environment().get_template(name + SUFFIX)
            except jinja2.TemplateError as error:
                raise self._broken(name, error) from error
        return self._compiled[name]

    def _environment(self) -> ImmutableSandboxedEnvironment:
        if self._engine is None:
            import jinja2  # noqa: PLC0415 - see `render`
            from jinja2 import sandbox  # noqa: PLC0415 - see `render`

            class Engine(sandbox.ImmutableSandboxedEnvironment):
                def getattr(self, obj: Any, attribute: str) -> Any:
                    # Our own values, which most lookups are for, need no search for what is unsafe.
                    if type(obj) is Ready and attribute in vars(obj):
                        return vars(obj)[attribute]
                    return super().getattr(obj, attribute)

                def make_globals(self, d: MutableMapping[str, Any] | None) -> dict[str, Any]:
                    # An import compares them with its own; a chain of maps is slow at that.
                    return {**self.globals, **(d or {})}

            engine = Engine(
                loader=jinja2.FunctionLoader(lambda file: self._source(file.removesuffix(SUFFIX))),
                undefined=jinja2.StrictUndefined,
                autoescape=False,
                trim_blocks=True,
                lstrip_blocks=True,
                auto_reload=False,
            )
            engine.is_safe_attribute = _judged_once(  # type: ignore[assignment, method-assign]
                engine.is_safe_attribute
            )
            # A prompt is a function of its inputs.
            engine.globals.pop("lipsum", None)
            engine.filters.pop("random", None)
            self._engine = engine
        return self._engine

    def _source(self, name: str) -> str:
        if name not in self._sources:
            path = self._file(name)
            try:
                self._sources[name] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise PromptError(f"prompt {name}: cannot read {path}: {error}") from error
        return self._sources[name]

    def _file(self, name: str) -> Path:
        parts = name.split("/")
        inside = all(parts) and ".." not in parts and "\\" not in name
        for folder in self._folders if inside else ():
            path = folder.joinpath(*parts[:-1], parts[-1] + SUFFIX)
            if path.is_file():
                return path
        raise PromptError(str(UnknownNameError.of("prompt", name, self.names())))

    def _syntax(self, name: str) -> nodes.Template:
        import jinja2  # noqa: PLC0415 - see `render`

        if name not in self._trees:
            source, file = self._source(name), str(self._file(name))
            try:
                self._trees[name] = self._environment().parse(source, filename=file)
            except jinja2.TemplateSyntaxError as error:
                raise self._broken(name, error) from error
        return self._trees[name]

    def _broken(self, name: str, error: Exception) -> PromptError:
        place = f"{getattr(error, 'filename', None) or self._file(name)}"
        line = getattr(error, "lineno", None)
        place += f":{line}" if line else ""
        return PromptError(f"prompt {name}: {place}: {first_line(str(error))}")

    def _reach(self, name: str) -> Iterator[str]:
        """`name` and, through all levels, every file that it includes, imports or extends."""
        from jinja2 import meta  # noqa: PLC0415 - see `render`

        seen, left = set[str](), [name]
        while left:
            current = left.pop()
            if current in seen:
                continue
            seen.add(current)
            yield current
            for file in meta.find_referenced_templates(self._syntax(current)):
                if file is None:
                    raise PromptError(f"prompt {current}: it includes a file by a computed name")
                left.append(file.removesuffix(SUFFIX))

    def _variables(self, name: str) -> frozenset[str]:
        """What must be handed to `name`: its own variables and those of what it includes."""
        return frozenset().union(*map(self._own_variables, self._reach(name)))

    def _own_variables(self, file: str) -> frozenset[str]:
        from jinja2 import meta  # noqa: PLC0415 - see `render`

        if file not in self._used:
            used = meta.find_undeclared_variables(self._syntax(file))
            self._used[file] = frozenset(used) - set(self._environment().globals)
        return self._used[file]


def _judged_once(judge: Callable[[Any, str, Any], bool]) -> Callable[[Any, str, Any], bool]:
    """`judge`, the sandbox's, asked once for each class and name: it looks at nothing else."""
    known: dict[tuple[type, str], bool] = {}

    def judged(holder: Any, name: str, value: Any) -> bool:
        # A class is judged by itself, not by its metaclass alone.
        if isinstance(holder, type):
            return judge(holder, name, value)
        key = (type(holder), name)
        if key not in known:
            known[key] = judge(holder, name, value)
        return known[key]

    return judged


class Ready(SimpleNamespace):
    """A record as templates see it; what is shown again and again is made ready once."""


def ready(record: BaseModel) -> Any:
    """`record` for use in the inputs of many renders: its texts are neutralised already."""
    return _value(record)


def _check_overrides(folder: Path, shipped: Path) -> None:
    """Refuse a folder whose files take the place of nothing: a wrong name would go unnoticed."""
    known = sorted(f.relative_to(shipped).as_posix() for f in shipped.rglob(f"*{SUFFIX}"))
    given = [f.relative_to(folder).as_posix() for f in sorted(folder.rglob("*")) if f.is_file()]
    if not any(name in known for name in given):
        raise PromptError(f"prompts: {folder} has none of {', '.join(known)}")
    for name in given:
        if name.endswith(SUFFIX) and name not in known and not name.startswith("_"):
            raise PromptError(f"{folder}: " + str(UnknownNameError.of("prompt file", name, known)))


@lru_cache(maxsize=1)
def _shipped() -> PromptLibrary:
    return PromptLibrary()


def library(overrides: Path | str | None = None) -> PromptLibrary:
    """The prompts, those in the folder `overrides` first; the shipped ones are read but once.

    Raises:
        PromptError: The folder is not there, or a file of it takes the place of none.
    """
    if overrides is None:
        return _shipped()
    made = PromptLibrary(Path(overrides))
    _check_overrides(Path(overrides), _resources.root("prompts"))
    return made


def _value(value: Any) -> Any:
    """`value` as templates see it: texts neutralised, records as bare names."""
    if isinstance(value, Ready):
        return value
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return _remembered(value) if len(value) <= _SHORT else neutralise(value)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return Ready(**{name: _value(getattr(value, name)) for name in fields})
    if isinstance(value, Mapping):
        return {_value(k): _value(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_value(item) for item in value]
    return value
