from fractions import Fraction
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gazecrop.crop.ratios import ALL_PROFILES, PROFILES, parse_ratio, parse_ratios, simplest
from gazecrop.errors import BadParameters


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16:9", Fraction(16, 9)),
        ("1.91:1", Fraction(191, 100)),
        ("1.7778", Fraction(17778, 10000)),
        ("2", Fraction(2)),
        ("1:1.5", Fraction(2, 3)),
        ("  4:5 ", Fraction(4, 5)),
        ("0.05", Fraction(1, 20)),
        ("20:1", Fraction(20)),
        ("999999:999998", Fraction(999999, 999998)),
        ("007:007", Fraction(1)),
    ],
)
def test_spellings(text: str, value: Fraction) -> None:
    ratio = parse_ratio(text)
    assert Fraction(ratio.numerator, ratio.denominator) == value
    assert ratio.value == float(value)
    assert (ratio.text, ratio.profile) == (text.strip(), None)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_has_its_name_and_its_ratio(name: str) -> None:
    ratio = parse_ratio(name)
    plain = parse_ratio(PROFILES[name])
    assert (ratio.profile, ratio.text) == (name, PROFILES[name])
    assert (ratio.numerator, ratio.denominator) == (plain.numerator, plain.denominator)


WRONG = [
    *(
        "",
        " ",
        ":",
        "16:",
        ":9",
        "16:9:4",
        "16/9",
        "16x9",
        "-1:2",
        "+1:2",
        "1e1",
        "inf",
        "nan",
        "0",
        "0:1",
        "1:0",
    ),
    *(
        "0.0:1",
        "20.000001",
        "20.1:1",
        "1:20.1",
        "0.049999",
        "1000000:1000000",
        "1.0000000",
        ".5",
        "1.",
        "Square",
    ),
    *("١٦:٩", "1\n:1", "1:1\x00", "16 : 9", "9" * 5000, "squarewide", "1,1"),
]


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_invalid_ratios(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_ratio(text)
    assert len(str(caught.value)) < 300


@given(st.text(alphabet="0123456789.: squareland-+e_", max_size=14))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_ratio_in_bounds_or_a_value_error(text: str) -> None:
    try:
        ratio = parse_ratio(text)
    except ValueError:
        return
    assert Fraction(1, 20) <= Fraction(ratio.numerator, ratio.denominator) <= 20


def test_a_list() -> None:
    assert [ratio.text for ratio in parse_ratios("16:9,1.7778,square")] == ["16:9", "1.7778", "1:1"]
    assert parse_ratios("1:1,1:1")[0] == parse_ratios("1:1,1:1")[1]


@pytest.mark.parametrize("text", [None, ""])
def test_an_empty_list_is_every_profile(text: str | None) -> None:
    assert [ratio.profile for ratio in parse_ratios(text)] == list(PROFILES)
    assert parse_ratios(text) == list(ALL_PROFILES)


def test_every_invalid_entry_of_a_list_is_reported() -> None:
    with pytest.raises(BadParameters) as caught:
        parse_ratios("16:9,banana,1:1,0:4,", parameter="ratio")
    errors = caught.value.problem()["errors"]
    assert [error["received"] for error in errors] == ["banana", "0:4", ""]
    assert {error["parameter"] for error in errors} == {"ratio"}
    assert caught.value.problem()["status"] == 422


def test_sixteen_ratios_and_no_more() -> None:
    assert len(parse_ratios(",".join(["1:1"] * 16))) == 16
    with pytest.raises(BadParameters) as caught:
        parse_ratios(",".join(["1:1"] * 17))
    assert caught.value.problem()["errors"][0]["received"] == 17


@given(
    st.fractions(Fraction(1, 20), 20, max_denominator=60), st.fractions(0, Fraction(1, 3), max_denominator=60)
)
@settings(deadline=None, max_examples=200)
def test_the_simplest_ratio_has_the_smallest_terms(low: Fraction, wider: Fraction) -> None:
    high = low * (1 + wider)
    for denominator in count(1):  # the first denominator with any numerator in the span has the smallest, too
        numerator = -(-low.numerator * denominator // low.denominator)
        if Fraction(numerator, denominator) <= high:
            break
    assert simplest(low.as_integer_ratio(), high.as_integer_ratio()) == f"{numerator}:{denominator}"
