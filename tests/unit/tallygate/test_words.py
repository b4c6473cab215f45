"""The terminal speaks the language that was asked for, whole."""

import pytest

from contracts.documents import DocumentKind
from tallygate.errors import TallygateError
from tallygate.words import _WORDS, counted, language, word


def test_every_word_is_said_in_both_languages_with_the_same_gaps() -> None:
    for key, (english, chinese) in _WORDS.items():
        assert english, key
        assert chinese, key
        assert english.count("{}") == chinese.count("{}"), key


@pytest.mark.parametrize("kind", DocumentKind)
def test_every_kind_of_document_is_said_in_chinese(kind: DocumentKind) -> None:
    assert not word(kind, "zh").isascii()


def test_what_is_asked_for_comes_before_the_terminals_locale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert language(None) == "zh"
    assert language("en") == "en"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert language(None) == "en"


def test_an_unknown_language_is_refused_with_those_there_are() -> None:
    with pytest.raises(TallygateError, match="no language 'fr'; there are en and zh"):
        language("fr")


def test_one_is_singular() -> None:
    assert counted("tag", "tags", 1, "en") == "1 tag"
    assert counted("tag", "tags", 1200, "en") == "1,200 tags"
    assert counted("tag", "tags", 2, "zh") == "2 个标签"


def test_a_key_that_is_no_word_is_said_readably() -> None:
    assert word("half_open", "en") == "half open"
