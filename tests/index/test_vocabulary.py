from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.graph.index.vocabulary import Matches, Vocabulary, find_match
from meshline.graph.word_forms import Meaning, find_skeleton, find_stem, list_spellings, split_name, split_question


def find_meanings(question: str, *words: str) -> dict[str, Meaning]:
    """What each of these words of names means of the one word, or the consecutive words, of a question."""
    vocabulary = Vocabulary()
    numbers = {word: vocabulary.add(word) for word in words}
    asked = question.split()
    matches = [vocabulary.find_run(tuple(asked))] if len(asked) > 1 else list_matches(vocabulary, asked[0])
    found = {word: find_match(matches, number) for word, number in numbers.items()}
    return {word: meaning for word, (weight, meaning) in found.items() if weight}


def list_matches(vocabulary: Vocabulary, word: str) -> list[Matches]:
    """What one word of a question may mean to a caller who sees all names."""
    return [vocabulary.find(word), *([] if len(vocabulary.find_own(word).words) else [vocabulary.find_abbreviated(word)])]


def test_names_are_split_into_words() -> None:
    assert split_name("customerEMail_addr2") == ["customer", "e", "mail", "addr", "2"]
    assert split_name("XMLHttpRequest") == ["xml", "http", "request"]
    assert split_name("") == split_name("__. -") == []
    assert split_question("Date of  birth, date") == ["date", "of", "birth"]
    assert split_question("the customer's day's 's'") == ["the", "customer", "day", "s"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("größe_straße.Δx", ["grösse", "strasse", "δx"]),
        ("KundenGröße", ["kunden", "grösse"]),
        ("größeÄnderung2", ["grösse", "änderung", "2"]),
        ("GRÖSSE_MAX", ["grösse", "max"]),
        ("gro\u0308ße", ["grösse"]),  # the mark as a character of its own
        ("caféÉcole", ["café", "école"]),
        ("ИмяКлиента_2024", ["имя", "клиента", "2024"]),
        ("顧客コード2024", ["顧客", "コード", "2024"]),
        ("受け取り日", ["受け", "取り", "日"]),
        ("顧客ID", ["顧客", "id"]),
        ("हिन्दी_नाम", ["हिन्दी", "नाम"]),
        ("한국어_이름", ["한국어", "이름"]),
        ("\uff21\uff22_m²", ["ab", "m", "2"]),
        ("\u0301x", ["x"]),
        ("🚀\u200d_→", []),
    ],
)
def test_letters_are_those_of_unicode(name: str, expected: list[str]) -> None:
    assert split_name(name) == expected
    assert split_name(unicodedata.normalize("NFD", name)) == expected


@given(st.text(max_size=30))
def test_any_text_is_split_into_words_that_stay_one(text: str) -> None:
    vocabulary = Vocabulary()
    for word in split_name(text):
        assert word == word.casefold()
        number = vocabulary.add(word)
        for spelling in list_spellings(word):
            assert find_match([vocabulary.find(spelling)], number)[1] is Meaning.WORD
        assert find_match([vocabulary.find(word)], number)[0] == 1.0


@pytest.mark.parametrize(
    ("word", "spellings"),
    [
        ("cafe", ("cafe",)),
        ("café", ("café", "cafe")),
        ("grösse", ("grösse", "grosse", "groesse")),
        ("smørrebrød", ("smørrebrød", "smorrebrod", "smoerrebroed")),
        ("łódź", ("łódź", "lodz")),
        ("οδός", ("οδός", "οδος")),
        ("ёлка", ("ёлка", "елка")),
        ("край", ("край",)),
        ("がく", ("がく",)),
        ("हिन्दी", ("हिन्दी",)),
        ("한국어", ("한국어",)),
    ],
)
def test_accents_of_latin_and_greek_letters_may_be_left_out(word: str, spellings: tuple[str, ...]) -> None:
    assert list_spellings(word) == spellings


@pytest.mark.parametrize(
    ("question", "word", "meaning"),
    [
        ("grösse", "grösse", Meaning.WORD),
        ("grosse", "grösse", Meaning.WORD),
        ("groesse", "grösse", Meaning.WORD),
        ("grösse", "grosse", Meaning.WORD),
        ("grösse", "groesse", Meaning.WORD),
        ("éclairs", "eclair", Meaning.INFLECTION),
        ("gros", "grösse", Meaning.BEGINNING),
        ("ander", "adresseänderung", Meaning.PART),
        ("größe".casefold(), "grss", Meaning.ABBREVIATION),
        ("клиент", "клнт", Meaning.ABBREVIATION),
        ("顧客", "顧客番号", Meaning.BEGINNING),
        ("番号", "顧客番号", Meaning.PART),
        ("école nationale", "en", Meaning.ACRONYM),
    ],
)
def test_a_word_is_found_without_its_accents(question: str, word: str, meaning: Meaning) -> None:
    assert find_meanings(question, word, "zzz") == {word: meaning}


def test_the_spelling_that_was_typed_counts_most() -> None:
    vocabulary = Vocabulary()
    accented, plain = vocabulary.add("café"), vocabulary.add("cafe")
    for word, own, other in (("café", accented, plain), ("cafe", plain, accented)):
        assert find_match([vocabulary.find(word)], own)[0] > find_match([vocabulary.find(word)], other)[0] > 0.95


@pytest.mark.parametrize(
    ("question", "word", "meaning"),
    [
        ("customer", "customer", Meaning.WORD),
        ("customers", "customer", Meaning.INFLECTION),
        ("category", "categories", Meaning.INFLECTION),
        ("immigration", "immigrants", Meaning.INFLECTION),
        ("canada", "canadian", Meaning.INFLECTION),
        ("cust", "customer", Meaning.BEGINNING),
        ("married", "yearsmarried", Meaning.PART),
        ("customer", "cust", Meaning.ABBREVIATION),
        ("customer", "cstmr", Meaning.ABBREVIATION),
        ("customer", "cst", Meaning.ABBREVIATION),
        ("amount", "amt", Meaning.ABBREVIATION),
        ("amt", "amount", Meaning.ABBREVIATION),
        ("asset", "sst", Meaning.ABBREVIATION),
        ("number", "n", Meaning.ABBREVIATION),
        ("date of birth", "dob", Meaning.ACRONYM),
        ("period end date", "pdnddte", Meaning.ACRONYM),
        ("business data retention", "busdtareten", Meaning.ACRONYM),
    ],
)
def test_a_word_is_found_by_what_it_may_mean(question: str, word: str, meaning: Meaning) -> None:
    assert find_meanings(question, word, "zzz", "1") == {word: meaning}


@pytest.mark.parametrize(
    ("question", "word"),
    [("customer", "custard"), ("date", "data"), ("amount", "mount"), ("order", "reorder2x"), ("12", "123"), ("period end date", "pdate")],
)
def test_another_word_is_not_found(question: str, word: str) -> None:
    assert find_meanings(question, word) == ({} if word != "reorder2x" else {word: Meaning.PART})


def test_the_surer_a_meaning_the_more_it_counts() -> None:
    vocabulary = Vocabulary()
    words = ["customer", "customers", "customerid", "cstmr", "cust", "c"]
    numbers = [vocabulary.add(word) for word in words]
    weights = [find_match([vocabulary.find("customer")], number)[0] for number in numbers]
    assert weights[0] == 1.0
    assert weights == sorted(weights, reverse=True)


words = st.text("abeomrst", min_size=1, max_size=9)


@given(st.lists(words, min_size=1, max_size=12), words)
def test_words_that_come_later_are_found_as_if_they_had_been_there(known: list[str], asked: str) -> None:
    at_once, later = Vocabulary(), Vocabulary()
    for word in known:
        at_once.add(word)
    for word in known:
        later.add(word)
        later.find(asked)
        later.find_run((asked, "b"))
    for one, other in ((at_once.find(asked), later.find(asked)), (at_once.find_run((asked, "b")), later.find_run((asked, "b")))):
        assert dict(zip(one.words.tolist(), one.weights.tolist(), strict=True)) == dict(
            zip(other.words.tolist(), other.weights.tolist(), strict=True)
        )


@given(words, words)
def test_an_abbreviation_has_letters_of_the_word_in_their_order(word: str, asked: str) -> None:
    """The plain rule, of each word alone, beside that over arrays."""
    meaning = find_meanings(asked, word).get(word)
    shorter, longer = sorted((word, asked), key=len)
    if meaning is Meaning.ABBREVIATION:
        assert is_within(shorter, longer)
    elif meaning is None and word[0] == asked[0]:
        assert len(word) < 2 or not is_within(word, find_skeleton(asked) if len(word) == 2 else asked)


def is_within(part: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in part)


def test_stems() -> None:
    assert [find_stem(word) for word in ("orders", "addresses", "parties", "class", "paid", "used", "gas")] == [
        *("order", "address", "party", "class", "paid", "used", "gas")
    ]
