"""What enters a run is readable by everyone, and holds no keys."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbalrl.text import natural, normalise, notice_environment, redact, secrets_of

any_text = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        ("a\n\tb ü 漢 🙂 e\u0301", "a\n\tb ü 漢 🙂 e\u0301"),
        ("a\ud800b\udfff", "ab"),
        ("\ud83d\ude42", "🙂"),
        ("\ude42\ud83d", ""),
        ("a\0b\x07\x1b[31m\x7f\x85\x9f", "ab[31m"),
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd"),
        ("\u202eevil\u202c \u2066x\u2069 \u200e\u200f\u061c", "evil x "),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
    ],
)
def test_text_is_cleaned(text: str, clean: str) -> None:
    assert normalise(text) == clean


@given(any_text)
def test_cleaning_is_done_once_and_gives_what_can_be_encoded(text: str) -> None:
    clean = normalise(text)
    assert normalise(clean) == clean
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert not any(c < " " and c not in "\n\t" for c in clean)


def test_every_code_point_passes_or_goes() -> None:
    kept = {chr(n) for n in range(0x110000) if normalise(chr(n)) == chr(n)}
    gone = 0x110000 - len(kept)
    c0, delete, c1, surrogates, bidi = 30, 1, 32, 2048, 1 + 2 + 5 + 4
    assert gone == c0 + delete + c1 + surrogates + bidi


def test_what_goes_alone_goes_among_lines_of_plain_text() -> None:
    for c in map(chr, range(0x80)):
        assert normalise(f"one\n\t{c}two\n") == f"one\n\t{normalise(c)}two\n"


KEY = "AbCdEf0123456789AbCdEf0123456789"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIB+/=\nAAAA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"use sk-{KEY} now", "use [redacted] now"),
        (f"sk-ant-api03-{KEY}-x_y", "[redacted]"),
        (f"(sk-proj-{KEY})", "([redacted])"),
        (f"Authorization: Bearer {KEY}.x-y_z", "Authorization: Bearer [redacted]"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        (f"ghp_{KEY} gho_{KEY} github_pat_{KEY}", "[redacted] [redacted] [redacted]"),
        ("xoxb-12345-67890-abc", "[redacted]"),
        (f"a\n{PEM}\nb", "a\n[redacted]\nb"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB", "[redacted]"),
        ("postgres://me:hunter2@host/db", "postgres://me:[redacted]@host/db"),
        ("api_key=abc&x=1", "api_key=[redacted]&x=1"),
        ("export OPENAI_API_KEY=abc", "export OPENAI_API_KEY=[redacted]"),
        ("PASSWORD = hunter2;", "PASSWORD = [redacted];"),
        ('password="two words"', "password=[redacted]"),
        ('{"client_secret": "s3", "n": 1}', '{"client_secret": [redacted], "n": 1}'),
        ("access-token: abcdefg123", "access-token: [redacted]"),
        ("my.token='x'", "my.token=[redacted]"),
    ],
)
def test_secrets_are_redacted(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Token: the smallest unit of text",
        "max_tokens=1500 and tokens: 12",
        "the password is asked for; the secret: be patient",
        "token = next(tokens)",
        "token = self.next()",
        "if token == end:",
        "sk-learn-and-other-words-that-are-long",
        "a task-1234567890123456 and risk-adjusted-1234567890",
        "a bearer instrument",
        "see https://example.org/a@b and mail me@example.org",
        "the key is under the mat; press key=up",
        "-----BEGIN STORY-----\nonce upon a time",
        "row 3, column 4: a pit",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


fragments = st.lists(
    st.sampled_from(
        ["sk-", KEY, "token", "=", ":", " ", '"', "'", "Bearer ", "api_key", "[redacted]", "\n",
         "://u:", "p@h", "-----BEGIN A PRIVATE KEY-----", "-----END A-----", "x", "9", "(", "-"]
    ),
    max_size=12,
)  # fmt: skip


@given(fragments.map("".join) | any_text)
def test_redacting_is_done_once(text: str) -> None:
    clean = redact(text)
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "part",
    ["sk-", "sk-a", "token", "token=", "a_", "a-", "Bearer ", "Bearer x", "-----BEGIN A-----",
     "-----", "://a:", "://a:b", "xoxb-", "'", '"', 'token="', "token: a", "x", "_token_", "\r",
     "-----BEGIN PRIVATE KEY-----"],
)  # fmt: skip
def test_hostile_text_costs_no_more_than_its_length(part: str) -> None:
    text = part * (400_000 // len(part))
    start = time.process_time()
    redact(normalise(text))
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("SERVICE_TOKEN", "a1b2c3d4e5f6", True),
        ("db_password", "correct-horse-battery-staple", True),
        ("ACCESS_KEY", "/x9K+fQ2bLrT8vWmZ0aYcE4hJ7nPsUdGiOqRtXyB", True),
        ("SIGNING_SECRET", "hVfKqLmNpRsTwXyZ", True),
        ("SIGNING_SECRET", "short-1", False),
        ("SERVICE_URL", "a1b2c3d4e5f6", False),
        ("KEYRING_BACKEND", "keyring.backends.null", False),
        ("SECRET_MANAGER", "ProductionVault".lower(), False),
        ("SSL_KEY_FILE", "/etc/ssl/private/server", False),
        ("SSL_KEY_FILE", "~/keys/server1.pem", False),
        ("SSL_KEY_FILE", "certs/server-1.pem", False),
        ("TOKEN_ENDPOINT", "https://example.test/token1", False),
    ],
)
def test_which_values_of_the_environment_are_secrets(
    name: str, value: str, is_secret: bool
) -> None:
    assert secrets_of({name: value}) == ((value,) if is_secret else ())


def test_secrets_of_the_environment_are_redacted_however_they_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longer, quoted = "amber kettle violin 77 harbour", 'two"quotes\\and 9 more'
    monkeypatch.setenv("SERVICE_PASSWORD", longer)
    monkeypatch.setenv("OTHER_SECRET", "kettle violin 77")
    monkeypatch.setenv("QUOTED_KEY", quoted)
    text = f"say {longer}, kettle violin 77 and {json.dumps({'x': quoted})}"
    try:
        notice_environment()
        said = redact(text)
        assert said == 'say [redacted], [redacted] and {"x": "[redacted]"}'
        assert redact(said) == said
    finally:
        monkeypatch.undo()
        notice_environment()
    assert redact(text) == text


def test_names_sort_as_people_count() -> None:
    names = ["t/train/10", "t/train/9", "t/test/100", "i2", "i10", "a", "", "7"]
    assert sorted(names, key=natural) == [
        "", "7", "a", "i2", "i10", "t/test/100", "t/train/9", "t/train/10"
    ]  # fmt: skip
    # More digits than `int` takes, and as many as `007` has.
    long = "i" + "9" * 5000
    assert sorted([long, "i10", "i007"], key=natural) == ["i007", "i10", long]
