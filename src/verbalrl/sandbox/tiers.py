"""How a program can be kept apart on this machine, found out by trying it, best first.

| tier | what keeps the program apart |
|---|---|
| bubblewrap | own processes, network and files; another user; limits |
| unshare | the same, made with util-linux |
| rlimits | limits, another user where we are root, Landlock where the kernel has it |
"""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigurationError

TIERS = ("bubblewrap", "unshare", "rlimits")
CHOICES = ("auto", *TIERS)
"""What may be asked for: `auto` is the best that closes network and files."""
ROOM = 8 << 20
"""Bytes that a program may write, in all."""
_PLACES = ("/mnt", "/media", "/srv", "/tmp")
_USERS = range(61_184, 65_520)
_turn = itertools.count()


class Tier(NamedTuple):
    """One way to keep a program apart, that works here."""

    name: str
    closed: bool
    """Whether network and files of this machine are out of its reach."""


class Sandbox(NamedTuple):
    """What of the tiers can be had on this machine."""

    tiers: tuple[Tier, ...]
    missing: Mapping[str, str]
    """By tier, why it cannot be had."""

    def choose(self, asked: str) -> Tier:
        """The tier that `asked` names.

        Raises:
            ConfigurationError: It cannot be had here, or no such tier exists.
        """
        if asked not in CHOICES:
            raise ConfigurationError(f"sandbox is {asked!r}; take one of {', '.join(CHOICES)}")
        fit = [t for t in self.tiers if t.name == asked or (asked == "auto" and t.closed)]
        if fit:
            return fit[0]
        listed = [f"{n}: {w}" for n, w in self.missing.items() if asked in ("auto", n)]
        hint = (
            "; install bubblewrap, or accept a program that can reach network and files with "
            "?sandbox=rlimits"
        )
        raise ConfigurationError(
            f"no sandbox for programs here ({'; '.join(listed)}){hint if asked == 'auto' else ''}"
        )


def command(tier: str, source: str, user: int) -> list[str]:
    """The command that runs the Python text `source` in `tier`, as `user` unless 0."""
    python = [_python(), "-I", "-S", "-c", source]
    if tier == "rlimits":
        return [*python, "supervise", str(user)]
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    if user:
        drop += [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    make = _bubblewrap if tier == "bubblewrap" else _unshare
    return make(drop, python, bool(user))


def _bubblewrap(drop: list[str], python: list[str], rooted: bool) -> list[str]:
    found = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
    if rooted:
        # As root no user namespace is made, so that limits of a user's own hold for the program.
        found += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        for capability in ("SETUID", "SETGID", "SETPCAP"):
            found += ["--cap-add", f"CAP_{capability}"]
    else:
        found.append("--unshare-all")
    # Folders on the way to what is bound would be closed to all but root.
    ways = [str(way) for p, _ in _system() for way in reversed(Path(p).parents) if str(way) != "/"]
    for way in dict.fromkeys([*ways, "/dev"]):
        found += ["--perms", "0755", "--dir", way]
    for path, link in _system():
        found += ["--symlink", link, path] if link else ["--ro-bind", path, path]
    for path in _devices():
        found += ["--dev-bind", path, path]
    found += ["--size", str(ROOM), "--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp", "--"]
    return [*found, *(drop if rooted else []), *python]


def _unshare(drop: list[str], python: list[str], rooted: bool) -> list[str]:
    root = next(p for p in _PLACES if Path(p).is_dir() and not sys.base_prefix.startswith(p))
    lines = ["set -e", f"mount -t tmpfs -o size={ROOM},mode=755 none {root}"]
    for path, link in _system():
        place = shlex.quote(root + path)
        if link:
            lines.append(f"ln -s {shlex.quote(link)} {place}")
            continue
        make = f"mkdir -p {place}"
        if not Path(path).is_dir():
            make = f"mkdir -p {shlex.quote(str(Path(root + path).parent))}; touch {place}"
        lines.append(f"{make}; mount --bind -o ro {shlex.quote(path)} {place}")
    lines.append(f"mkdir -p {root}/dev {root}/tmp; chmod 1777 {root}/tmp")
    lines += [f"touch {root}{path}; mount --bind {path} {root}{path}" for path in _devices()]
    inside = shlex.join(["sh", "-c", 'cd /tmp; exec "$@"', "sh", *drop])
    # The shell stays the first process: who changes its user is no longer ended with the parent.
    lines += [f'chroot {root} {inside} "$@"', "exit $?"]
    found = ["unshare", "--pid", "--fork", "--kill-child", "--net", "--mount", "--ipc", "--uts"]
    found += [] if rooted else ["--user", "--map-root-user"]
    return [*found, "--", "sh", "-c", "\n".join(lines), "sh", *python]


def _system() -> Iterator[tuple[str, str]]:
    """What a Python needs of this machine: paths, with the target of those that are links."""
    for path in ("/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc/ld.so.cache"):
        if os.path.lexists(path):
            yield path, str(Path(path).readlink()) if Path(path).is_symlink() else ""
    if not Path(sys.base_prefix).resolve().is_relative_to("/usr"):
        yield str(Path(sys.base_prefix).resolve()), ""


def _devices() -> tuple[str, ...]:
    return "/dev/null", "/dev/zero", "/dev/urandom"


def _python() -> str:
    # The interpreter itself, not the one of a virtual environment, which lies in somebody's home.
    return str(Path(sys.executable).resolve())


def fresh_user() -> int:
    """A user that owns no process, where we may become one; else 0.

    Limits on processes count by user, and one program must not meet what another has left.
    """
    if os.geteuid() != 0:
        return 0
    used = set(_users())
    for _ in _USERS:
        user = _USERS[(os.getpid() * 31 + next(_turn)) % len(_USERS)]
        if user not in used:
            return user
    return _USERS[0]


def _users() -> Iterator[int]:
    """The owners of all processes."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names alone; a process may be gone by now
        if name.isdecimal():
            try:
                yield os.stat(f"/proc/{name}").st_uid  # noqa: PTH116
            except OSError:
                continue


def probe(run: Callable[[Tier, str], tuple[bool, str]]) -> Sandbox:
    """Try every tier with `run`, which says whether a program sees `marker`, or why it fails."""
    tiers, missing = [], {}
    for name in TIERS:
        tier = Tier(name, name != "rlimits")
        lacking = [t for t in _needs(name) if shutil.which(t) is None]
        if sys.platform != "linux" or lacking:
            missing[name] = f"no {' and no '.join(lacking)}" if lacking else "Linux only"
            continue
        with _marker() as marker:
            good, why = run(tier, marker)
        if good:
            tiers.append(tier)
        else:
            missing[name] = why
    return Sandbox(tuple(tiers), missing)


def _needs(name: str) -> tuple[str, ...]:
    tools = {
        "bubblewrap": ("bwrap", "setpriv"),
        "unshare": ("unshare", "setpriv", "mount", "chroot"),
    }
    return tools.get(name, ())


@contextmanager
def _marker() -> Iterator[str]:
    with tempfile.NamedTemporaryFile(prefix="verbalrl-seen-") as file:
        Path(file.name).chmod(0o644)
        yield file.name
