"""Checks the house limits that no linter knows, by reading the syntax trees of src and tests.

It judges shape only: what the code does is for the tests, and the floor plan for import-linter.
Run it as `python -m tools.house`; it prints one line per offence and ends with 1 if there is any.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

PACKAGE = "verbalrl"
MAX_FILE_LINES = 400
MAX_METHOD_LINES = 110
MAX_FUNCTION_LINES = 60
MAX_PARAMS = 8
MAX_DEFERRED_IMPORTS = 4
BOUNDARY_FILES = frozenset({"rollout.py", "errors.py"})
UNSAFE_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle"})
UNSAFE_CALLS = frozenset({"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load"})
# The program of a child that may be lost: it runs text, and whatever that raises is a reply.
CHILD_PROGRAM = ("sandbox", "worker.py")
MOCK_MODULES = frozenset({"unittest.mock", "mock", "pytest_mock"})
# What a prompt looks like: a Jinja tag, or words that speak to a model.
PROMPT = re.compile(
    r"\{%-?\s*\w+|\{\{\s*\w[^{}]*\}\}"
    r"|\b[Yy]ou are (an?|the) |\b(Reply|Respond|Answer)( only)? with (JSON|one|the|a)\b"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Offence(NamedTuple):
    """One broken limit: where, which, and what was found."""

    path: str
    line: int
    rule: str
    message: str


class Source(NamedTuple):
    """One Python file, parsed; `path` is relative to the repository."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    def offence(self, node: ast.AST | int, rule: str, message: str) -> Offence:
        """An offence at `node` of this file."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return Offence(str(self.path), line, rule, message)

    @property
    def inside(self) -> tuple[str, ...]:
        """Path parts below the package, such as `("models", "retry.py")`; empty outside src."""
        parts = self.path.parts
        return parts[2:] if parts[:2] == ("src", PACKAGE) else ()


Rule = Callable[[Source], Iterator[Offence]]


def parse(path: str, text: str) -> Source:
    """The parsed file."""
    return Source(PurePosixPath(path), text, ast.parse(text, filename=path))


def file_length(source: Source) -> Iterator[Offence]:
    """Files that are too long to hold in mind."""
    lines = len(source.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield source.offence(1, "file-length", f"{lines} lines, at most {MAX_FILE_LINES}")


def function_shape(source: Source) -> Iterator[Offence]:
    """Functions that are too long or take too much."""
    for node, owner in _functions(source.tree):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            message = f"{node.name}: {lines} lines, at most {MAX_FUNCTION_LINES}"
            yield source.offence(node, "function-length", message)
        params = _params(node, is_method=isinstance(owner, ast.ClassDef))
        if params > MAX_PARAMS:
            message = f"{node.name}: {params} parameters, at most {MAX_PARAMS}"
            yield source.offence(node, "params", message)


def blind_except(source: Source) -> Iterator[Offence]:
    """Blind excepts outside the one error boundary, which is a function named `boundary`.

    One that lets every error through again decides nothing and is none. The program of a child
    that may be lost answers with whatever the text that it runs has raised.
    """
    if source.inside == CHILD_PROGRAM:
        return
    for node, function in _blind(source.tree):
        if source.path.name not in BOUNDARY_FILES or function != "boundary":
            message = f"in {function or 'the module'}; only `boundary` may catch everything"
            yield source.offence(node, "blind-except", message)


def unsafe(source: Source) -> Iterator[Offence]:
    """Ways to run text as code."""
    for node in ast.walk(source.tree):
        for module in _imported(node):
            if module.split(".")[0] in UNSAFE_MODULES:
                yield source.offence(node, "unsafe", f"import of {module}")
        if isinstance(node, ast.Call) and (name := _dotted(node.func)) in UNSAFE_CALLS:
            if name == "exec" and source.inside == CHILD_PROGRAM:
                continue
            yield source.offence(node, "unsafe", f"call of {name}")


def printing(source: Source) -> Iterator[Offence]:
    """Output from anywhere but the command line."""
    if source.inside[:1] == ("cli",) or source.inside == ("cli.py",):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _dotted(node.func) == "print":
            yield source.offence(node, "print", "only cli prints")


def mocks(source: Source) -> Iterator[Offence]:
    """Mock libraries; the public test doubles are to be used."""
    for node in ast.walk(source.tree):
        for module in _imported(node):
            if module in MOCK_MODULES or module.startswith("unittest.mock"):
                yield source.offence(node, "mock", f"import of {module}; use ScriptedModel")
        if isinstance(node, ast.arg) and node.arg == "mocker":
            yield source.offence(node, "mock", "fixture mocker; use ScriptedModel")


def prompt_in_code(source: Source) -> Iterator[Offence]:
    """Prompt text that belongs into `prompts/`."""
    docstrings = set(_docstrings(source.tree))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _dotted(node.func).endswith("from_string"):
            yield source.offence(node, "prompt-in-code", "template made from a string")
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in docstrings and (found := PROMPT.search(node.value)):
            yield source.offence(node, "prompt-in-code", f"{found.group()!r} belongs in prompts/")


def apprentice_imports(source: Source) -> Iterator[Offence]:
    """Whatever the offline model imports beyond the standard library and itself."""
    own = f"{PACKAGE}.models.apprentice"
    if source.inside[:1] != ("models",) or not source.inside[1].startswith("apprentice"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            # A package may import from itself; a single file's siblings are other modules.
            if source.inside[1] != "apprentice" or node.level >= len(source.inside) - 1:
                yield source.offence(
                    node, "apprentice-imports", "relative import of another module"
                )
            continue
        for module in _imported(node):
            is_own = f"{module}.".startswith(f"{own}.")
            if not is_own and module.split(".")[0] not in sys.stdlib_module_names:
                yield source.offence(node, "apprentice-imports", f"import of {module}")


SOURCE_RULES: tuple[Rule, ...] = (
    file_length,
    function_shape,
    blind_except,
    unsafe,
    printing,
    prompt_in_code,
    apprentice_imports,
)
TEST_RULES: tuple[Rule, ...] = (mocks, unsafe)


def one_boundary(sources: list[Source]) -> Iterator[Offence]:
    """More than one blind except in all, or none although episodes are run."""
    found = [(s, node) for s in sources for node, name in _blind(s.tree) if name == "boundary"]
    for source, node in found[1:]:
        first = f"{found[0][0].path}:{found[0][1].lineno}"
        yield source.offence(node, "one-boundary", f"a second one, the first is {first}")
    if not found and any(s.inside == ("rollout.py",) for s in sources):
        yield Offence(f"src/{PACKAGE}", 1, "one-boundary", "no error boundary at all")


def deferred_imports(sources: list[Source]) -> Iterator[Offence]:
    """Imports of our own modules inside functions, where import circles hide."""
    found = [(s, node) for s in sources for node in _deferred(s.tree)]
    for source, node in found[MAX_DEFERRED_IMPORTS:]:
        message = f"{len(found)} in all, at most {MAX_DEFERRED_IMPORTS}"
        yield source.offence(node, "deferred-imports", message)


def method_length(sources: list[Source]) -> Iterator[Offence]:
    """Files of methods on offer that no longer read as one loop; `METHODS` names the methods."""
    files = {s.inside[1].removesuffix(".py"): s for s in sources if s.inside[:1] == ("methods",)}
    if "__init__" not in files:
        return
    tree = files["__init__"].tree
    offered = {_dotted(node) for node in _values(tree, "METHODS")}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not offered & {a.name for a in node.names}:
            continue
        source = files.get(node.module or "")
        lines = len(source.text.splitlines()) if source else 0
        if source and lines > MAX_METHOD_LINES:
            yield source.offence(1, "method-length", f"{lines} lines, at most {MAX_METHOD_LINES}")


def check(sources: list[Source]) -> list[Offence]:
    """All offences of these files, in order of place."""
    package = [s for s in sources if s.inside]
    tests = [s for s in sources if s.path.parts[0] == "tests"]
    found = [o for s in package for rule in SOURCE_RULES for o in rule(s)]
    found += [o for s in tests for rule in TEST_RULES for o in rule(s)]
    found += [*one_boundary(package), *deferred_imports(package)]
    found += method_length(package)
    return sorted(found)


def _functions(tree: ast.Module) -> Iterator[tuple[Function, ast.AST]]:
    for owner in ast.walk(tree):
        for node in ast.iter_child_nodes(owner):
            if isinstance(node, Function):
                yield node, owner


def _params(node: Function, *, is_method: bool) -> int:
    args = node.args
    static = any(_dotted(d) == "staticmethod" for d in node.decorator_list)
    return (
        len(args.posonlyargs + args.args + args.kwonlyargs)
        + (args.vararg is not None)
        + (args.kwarg is not None)
        - (is_method and not static)
    )


def _blind(node: ast.AST, function: str = "") -> Iterator[tuple[ast.ExceptHandler | ast.Call, str]]:
    for child in ast.iter_child_nodes(node):
        name = child.name if isinstance(child, Function) else function
        if isinstance(child, ast.ExceptHandler) and _catches_all(child):
            yield child, name
        if isinstance(child, ast.Call) and _suppresses_all(child):
            yield child, name
        yield from _blind(child, name)


def _catches_all(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    leaves = any(isinstance(n, ast.Return | ast.Break | ast.Continue) for n in ast.walk(handler))
    if isinstance(last, ast.Raise) and last.exc is None and not leaves:
        return False  # it cleans up, or listens, and lets every error through
    return handler.type is None or _is_broad(handler.type)


def _suppresses_all(call: ast.Call) -> bool:
    return _dotted(call.func).endswith("suppress") and any(_is_broad(a) for a in call.args)


def _is_broad(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return any(_is_broad(item) for item in node.elts)
    return _dotted(node).removeprefix("builtins.") in ("Exception", "BaseException")


def _imported(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Import):
        return tuple(alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and not node.level:
        module = node.module or ""
        return (module, *(f"{module}.{a.name}" for a in node.names if module == "unittest"))
    return ()


def _deferred(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    inside = {
        id(node): node
        for function, _ in _functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_internal(node)
    }
    return sorted(inside.values(), key=lambda node: node.lineno)


def _is_internal(node: ast.Import | ast.ImportFrom) -> bool:
    relative = isinstance(node, ast.ImportFrom) and node.level > 0
    return relative or any(name.split(".")[0] == PACKAGE for name in _imported(node))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _values(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    """The values of the dictionary that `name` is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            yield from node.value.values if _dotted(node.target) == name else ()


def _docstrings(tree: ast.Module) -> Iterator[int]:
    """Ids of the bare strings that document a module, class, function or field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)


def main(root: Path) -> int:
    """Check the repository at `root`, print what is wrong, give the exit code."""
    files = sorted(f for top in ("src", "tests") for f in (root / top).rglob("*.py"))
    sources = [
        parse(f.relative_to(root).as_posix(), f.read_text(encoding="utf-8"))
        for f in files
        if "__pycache__" not in f.parts
    ]
    offences = check(sources)
    for offence in offences:
        print(f"{offence.path}:{offence.line}: {offence.rule}: {offence.message}")
    print(f"house: {len(sources)} files, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))
