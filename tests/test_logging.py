"""What a host application sees of verbalrl's events, in each way a host can be set up."""

import json
import logging
import subprocess
import sys

import pytest

from verbalrl._logging import bound, get_logger

_EMIT = """
from verbalrl._logging import bound, get_logger
log = get_logger("verbalrl.probe").bind(run="run_1")
with bound(episode="ep_1"):
    log.info("trial.started", task="grid", name="n", args=(1,))
try:
    1 / 0
except ZeroDivisionError:
    log.error("trial.failed", exc_info=True)
"""


def _host(setup: str, after: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{setup}\n{_EMIT}\n{after}"],
        capture_output=True,
        text=True,
        check=True,
    )


def test_unconfigured_host_sees_nothing_and_pays_nothing() -> None:
    done = _host("", "import sys; assert 'structlog' not in sys.modules")
    assert (done.stdout, done.stderr) == ("", "")


def test_stdlib_host_reads_one_line_per_event_and_the_traceback() -> None:
    done = _host("import logging; logging.basicConfig(level='INFO')")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("INFO:verbalrl.probe:trial.started run='run_1' episode='ep_1'")
    assert first.endswith("task='grid' name='n' args=(1,)")
    assert rest[0] == "ERROR:verbalrl.probe:trial.failed run='run_1'"
    assert rest[-1] == "ZeroDivisionError: division by zero"
    assert done.stdout == ""


def test_structlog_host_gets_native_events() -> None:
    done = _host("""
import logging, structlog
handler = logging.StreamHandler()
handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
]))
logging.basicConfig(level="INFO", handlers=[handler])
structlog.contextvars.bind_contextvars(request="r1")
""")
    started, failed = (json.loads(line) for line in done.stderr.splitlines())
    assert started["event"] == "trial.started"
    assert (started["run"], started["episode"], started["request"]) == ("run_1", "ep_1", "r1")
    assert "ZeroDivisionError" in failed["exception"]


def test_pytest_host_reads_fields_from_caplog(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="verbalrl"), bound(episode="ep_1"):
        get_logger("verbalrl.probe").debug("trial.started", trial=3)
    (record,) = caplog.records
    assert isinstance(record.msg, dict)
    assert record.msg["trial"] == 3
    assert record.msg["episode"] == "ep_1"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_record_names_the_calling_line(level: str, caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("verbalrl.probe")
    with caplog.at_level(logging.DEBUG, logger="verbalrl"):
        getattr(log, level)("trial.started")
    (record,) = caplog.records
    assert record.filename == "test_logging.py"
    assert record.levelname == level.upper()


def test_level_too_low_is_not_emitted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="verbalrl"):
        get_logger("verbalrl.probe").info("trial.started")
    assert caplog.records == []


def test_bound_fields_end_with_the_block(caplog: pytest.LogCaptureFixture) -> None:
    with bound(episode="ep_1"):
        pass
    get_logger("verbalrl.probe").warning("trial.started")
    assert "episode" not in caplog.records[0].msg
