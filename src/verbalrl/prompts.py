"""Prompts: Jinja files, one prompt each, rendered from typed inputs.

Text of tasks, models and memory enters a template as a *value* and is neutralised before, so that
the tags and role markers in a prompt are ours. Whoever renders a template owns its input record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from . import _resources
from .errors import PromptError, UnknownNameError, first_line
from .ids import sha256_json
from .neutral import TAGS as TAGS
from .neutral import neutralise as neutralise
from .neutral import remembered
from .records import GuidanceLine, Record

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

SUFFIX = ".jinja"

_SCOPES = frozenset({"_loop_vars", "_block_vars"})
"""What Jinja itself hands to whatever is called; macros do not see it."""


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
        return cls(**{name: getattr(line, name) for name in cls.model_fields})


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

    def check_overrides(self, inputs: Mapping[str, type[BaseModel]]) -> None:
        """`check` where files of the caller's take part; that the shipped ones agree is tested."""
        if self.overrides is not None:
            self.check(inputs)

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

            engine = _engine_class()(
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
        file, line = getattr(error, "filename", None), getattr(error, "lineno", None)
        place = f"{file or self._file(name)}{f':{line}' if line else ''}"
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


def _engine_class() -> type[ImmutableSandboxedEnvironment]:
    """Jinja's sandbox, which looks less long at what is our own."""
    from jinja2 import environment, runtime, sandbox  # noqa: PLC0415 - see `PromptLibrary.render`

    macro, module = runtime.Macro, environment.TemplateModule
    loaded, free = dict[str, Any](), set[Any]()

    class Engine(sandbox.ImmutableSandboxedEnvironment):
        def get_template(self, name: Any, *given: Any, **named: Any) -> Any:
            # Each render asks anew for what it imports; no file is read twice.
            if name not in loaded:
                loaded[name] = super().get_template(name, *given, **named)
            return loaded[name]

        def getattr(self, obj: Any, attribute: str) -> Any:
            # Our own values, which most lookups are for, need no search for what is unsafe.
            own = type(obj) is Ready or (type(obj) is module and attribute[:1] != "_")
            if own and attribute in (held := vars(obj)):
                return held[attribute]
            return super().getattr(obj, attribute)

        def call(self, context: Any, obj: Any, /, *args: Any, **named: Any) -> Any:
            if type(obj) is not macro:
                return super().call(context, obj, *args, **named)
            # A macro of our own needs no search for what is unsafe, or for what it takes.
            named = named and {name: named[name] for name in named.keys() - _SCOPES}
            alone = len(args) == 1 and not named and not context.eval_ctx.autoescape
            if alone and (obj in free or _is_free(obj, loaded)):
                free.add(obj)
                return _shown(obj, args[0])
            return obj(context.eval_ctx, *args, **named)

        def make_globals(self, d: MutableMapping[str, Any] | None) -> dict[str, Any]:
            # An import compares them with its own; a chain of maps is slow at that.
            return {**self.globals, **(d or {})}

    return Engine


def _is_free(macro: Any, loaded: Mapping[str, Template]) -> bool:
    """Whether a macro is of a file as others import it: one of a prompt's own may have state."""
    home = loaded.get(macro._func.__globals__.get("name", ""))
    return getattr(getattr(home, "_module", None), macro.name, None) is macro


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

    __slots__ = ("_made",)
    _made: tuple[object, str]
    """The macro that it was shown by last, and what that made of it."""


_SHORT = 1_000
_shown_text = lru_cache(maxsize=1024)(lambda macro, text: str(macro(text)))


def _shown(macro: Callable[[Any], str], value: Any) -> str:
    """What an imported macro makes of one value; it depends on nothing else."""
    if type(value) is str and len(value) <= _SHORT:
        return _shown_text(macro, value)
    if type(value) is not Ready:
        return macro(value)
    made = getattr(value, "_made", (None, ""))
    if made[0] is not macro:
        made = value._made = macro, macro(value)
    return made[1]


def ready(record: BaseModel) -> Any:
    """`record` for use in the inputs of many renders: its texts are neutralised already."""
    return _value(record)


@lru_cache(maxsize=1024)
def ready_line(line: GuidanceLine) -> Any:
    """A lesson for use in many renders; the same ones stand in prompt after prompt."""
    return ready(Line.of(line))


def _check_overrides(folder: Path, shipped: Path) -> None:
    """Refuse a folder whose files take the place of nothing: a wrong name would go unnoticed."""
    known = sorted(f.relative_to(shipped).as_posix() for f in shipped.rglob(f"*{SUFFIX}"))
    given = [f.relative_to(folder).as_posix() for f in sorted(folder.rglob("*")) if f.is_file()]
    for name in given:
        if name.endswith(SUFFIX) and name not in known and not name.startswith("_"):
            unknown = UnknownNameError.of("prompt file", name, known, f"see {shipped}")
            raise PromptError(f"{folder}: {unknown}")
    if not any(name in known for name in given):
        raise PromptError(
            f"prompts: {folder} has none of the {len(known)} prompt files, such as "
            f"critic/critique.jinja; copy those that you change from {shipped}"
        )


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


_PLAIN = frozenset((int, bool, float, Ready))
"""Of which templates see what there is."""


@lru_cache(maxsize=256)
def _names(kind: type) -> tuple[str, ...] | None:
    """The fields of a class of records; None of any other."""
    return tuple(kind.model_fields) if issubclass(kind, BaseModel) else None


def _value(value: Any) -> Any:
    """`value` as templates see it: texts neutralised, records as bare names."""
    # Nearly all there is; asking whether something is a record takes as long as all the rest.
    kind: type = type(value)
    if kind is str:
        return remembered(value)
    if value is None or kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [_value(item) for item in value]
    if (names := _names(kind)) is not None:
        return Ready(**{name: _value(getattr(value, name)) for name in names})
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return remembered(value)
    if isinstance(value, Mapping):
        return {_value(k): _value(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_value(item) for item in value]
    return value
