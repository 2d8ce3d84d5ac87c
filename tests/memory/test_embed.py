from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
import pytest

from verbalrl.errors import ConfigurationError, ModelError, UnknownNameError
from verbalrl.execution import load_embedder
from verbalrl.memory import HashEmbedder, fingerprint
from verbalrl.memory.embed import Embedder, text_of
from verbalrl.memory.minilm import MiniLmEmbedder
from verbalrl.records import LessonBody, LessonKind, Usage


def cosine(one: str, other: str, dim: int = 384) -> float:
    rows = HashEmbedder(dim).rows([one, other])
    return float(rows[0] @ rows[1])


def test_rows_are_float32_of_length_one() -> None:
    rows, paid = asyncio.run(HashEmbedder().embed(["retry the call", "", "the of and"]))
    assert rows.dtype == np.float32
    assert rows.shape == (3, 384)
    assert np.linalg.norm(rows, axis=1).round(5).tolist() == [1, 0, 0]
    assert paid == Usage()


def test_hash_sees_shared_words_and_forms_of_words() -> None:
    assert cosine("retry the payment", "retry the payment") == pytest.approx(1)
    assert cosine("retrying payments", "retry the payment") > 0.3
    assert cosine("retrying payments", "retry the payment") > cosine("retrying payments", "a goat")


def test_hash_is_lexical_and_not_semantic() -> None:
    assert cosine("give the money back", "offer a refund") < 0.2


def test_a_vector_never_depends_on_other_texts_or_the_process() -> None:
    alone = HashEmbedder(32).rows(["press the lever"])[0]
    among = HashEmbedder(32).rows(["goats", "press the lever", "press"])[1]
    assert np.array_equal(alone, among)
    program = (
        "from verbalrl.memory import HashEmbedder\n"
        "print(HashEmbedder(32).rows(['press the lever'])[0].tobytes().hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert other == alone.tobytes().hex()


def test_fingerprints_tell_embedders_apart() -> None:
    embedders: list[Embedder] = [HashEmbedder(), HashEmbedder(64), MiniLmEmbedder()]
    assert len({fingerprint(e) for e in embedders}) == 3
    assert fingerprint(HashEmbedder()) == fingerprint(load_embedder("hash"))


def test_text_is_a_function_of_the_content_hash() -> None:
    one = LessonBody(kind=LessonKind.BEHAVIOR, name="a", when="The  Lamp", instruction="Press.")
    two = LessonBody(kind=LessonKind.BEHAVIOR, name="b", when="the lamp", instruction="press")
    assert one.content == two.content
    assert text_of(one) == text_of(two) == "the lamp\npress"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("has", "did you mean: hash"),
        ("hash:3", "from 16"),
        ("openai:", "openai:NAME"),
        ("openai:m@x", "openai:NAME@DIM"),
        ("openai:m", "needs a key"),
    ],
)
def test_names_that_cannot_be_loaded_are_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_embedder(name)
    assert "\n" not in str(caught.value)


def test_base_url_needs_an_embedder_with_a_server() -> None:
    with pytest.raises(ConfigurationError, match="means nothing"):
        load_embedder("hash", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(UnknownNameError):
        load_embedder("chroma")


def test_minilm_without_weights_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

    monkeypatch.setattr(ONNXMiniLM_L6_V2, "DOWNLOAD_PATH", tmp_path_factory.mktemp("onnx"))
    monkeypatch.setattr(ONNXMiniLM_L6_V2, "MODEL_DOWNLOAD_URL", "http://127.0.0.1:9/none")
    with pytest.raises(ModelError, match="fetched on first use") as caught:
        asyncio.run(MiniLmEmbedder().embed(["a text"]))
    assert "\n" not in str(caught.value)
