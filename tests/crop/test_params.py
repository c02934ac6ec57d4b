"""The query parameters of crops: what they mean, and that all errors are reported together."""

from fractions import Fraction
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gazecrop.crop.cropping import POLICIES, Options
from gazecrop.crop.fields import FORMS
from gazecrop.crop.params import CROPPING, MOST_CONSTRAINTS, one_ratio, parse, parse_collecting_errors
from gazecrop.crop.placing import Constraint
from gazecrop.crop.ratios import ALL_PROFILES, parse_ratio
from gazecrop.crop.zooming import AutoZoom
from gazecrop.errors import BadParameters


def wrong(query: str, allowed: frozenset[str] = CROPPING) -> list[str]:
    with pytest.raises(BadParameters) as refused:
        parse(query, allowed)
    for error in refused.value.members["errors"]:
        assert error["detail"] and len(str(error.get("received", ""))) <= 60
    return [error["parameter"] for error in refused.value.members["errors"]]


@pytest.mark.parametrize("query", ["", "ratios=", "policy=auto&zoom=1&candidates=1", "&&"])
def test_the_defaults(query: str) -> None:
    assert (
        parse(query).ratios == ALL_PROFILES and parse(query).options == Options() and parse(query).extra == {}
    )


def test_every_parameter_is_parsed() -> None:
    wanted = parse(
        "ratios=16:9,square&policy=point&zoom=1.25&candidates=3&keep=0,0,0.5,1&avoid=0.9,0.9,0.1,0.1&protect=text"
    )
    assert wanted.ratios == (parse_ratio("16:9"), parse_ratio("square"))
    keep, avoid = Constraint("keep", 0, 0, 0.5, 1), Constraint("avoid", 0.9, 0.9, 0.1, 0.1)
    assert wanted.options == Options("point", Fraction(5, 4), (keep, avoid), 3, ("text",))
    assert wanted.of(parse_ratio("1:2")).ratios == (parse_ratio("1:2"),)


def test_ratios_may_be_repeated_and_constraints_keep_their_order() -> None:
    assert parse("ratios=16:9&ratios=1:1,2").ratios == tuple(map(parse_ratio, ("16:9", "1:1", "2")))
    kinds = [
        c.kind for c in parse("avoid=0,0,0.1,0.1&keep=0,0,0.1,0.1&avoid=0,0,0.1,0.1").options.constraints
    ]
    assert kinds == ["avoid", "keep", "avoid"]


@pytest.mark.parametrize(
    ("value", "kinds"),
    [("face", ("face",)), ("face,text", ("face", "text")), ("text,face", ("face", "text")), ("none", ())],
)
def test_kinds_of_objects_are_protected(value: str, kinds: tuple[str, ...]) -> None:
    assert parse(f"protect={value}").options.protect == kinds


@pytest.mark.parametrize("value", ["", "faces", "face,face", "none,face", "face,", "Face", "face text"])
def test_other_kinds_are_refused(value: str) -> None:
    assert wrong(f"protect={value}&zoom=9") == ["zoom", "protect"]


@pytest.mark.parametrize("least", ["0.5", ".5", "0.8", "0.99", "0.990000000"])
def test_careful(least: str) -> None:
    assert parse(f"policy=careful&careful={least}").options.careful == float(least)
    assert parse("policy=careful").options.careful == 0.8


@pytest.mark.parametrize("least", ["", "0", "0.49", "0.991", "1", "-0.8", "8e-1", "nan", "much"])
def test_invalid_careful(least: str) -> None:
    assert wrong(urlencode({"careful": least})) == ["careful"]


def test_percent_escapes_are_decoded() -> None:
    assert parse("ratios=16%3A9%2C1:1&%7aoom=2") == parse("ratios=16:9,1:1&zoom=2")


@pytest.mark.parametrize("zoom", ["1", "1.0", "4", "4.000000000", "2.5", "01"])
def test_zooms(zoom: str) -> None:
    assert parse(f"zoom={zoom}").options.zoom == Fraction(zoom)


@pytest.mark.parametrize(
    "zoom",
    ["", "0", "0.999999999", "4.1", "-1", "+2", "1e0", "nan", "inf", "1/2", " 2", "٢", "2" * 400, "1_0"],
)
def test_invalid_zooms(zoom: str) -> None:
    assert wrong(urlencode({"zoom": zoom})) == ["zoom"]


@pytest.mark.parametrize("candidates", ["", "0", "6", "1.0", "-1", "a", "11"])
def test_invalid_numbers_of_candidates(candidates: str) -> None:
    assert wrong(f"candidates={candidates}") == ["candidates"]


def test_zoom_auto() -> None:
    assert parse("zoom=auto").options == Options(auto_zoom=AutoZoom())
    both = parse("zoom=auto&fill=.45&align=0.5,0.25&policy=focus").options
    assert both == Options("focus", auto_zoom=AutoZoom(Fraction(45, 100), (0.5, 0.25)))
    larger = parse("zoom=auto").at_least(600, None).options.auto_zoom
    assert larger == AutoZoom(pixels=(600, 1))
    assert parse("zoom=2").at_least(600, 400) == parse("zoom=2")


@pytest.mark.parametrize(
    ("query", "names"),
    [("fill=0.6", ["fill"]), ("zoom=2&align=0.5,0.5", ["align"]), ("zoom=auto&fill=0.29", ["fill"])]
    + [("zoom=auto&fill=0.95", ["fill"]), ("zoom=auto&fill=much", ["fill"]), ("zoom=Auto", ["zoom"])]
    + [(f"zoom=auto&align={value}", ["align"]) for value in ("", "0.5", "0.5,0.5,0.5", "2,0", "0,nan", "-1,0")]
    + [("zoom=auto&align=0.5,0.5&policy=window", ["align"])]
    + [("zoom=auto&fill=1&align=2&policy=x", ["policy", "fill", "align"])]
)  # fmt: skip
def test_invalid_options_of_zoom_auto(query: str, names: list[str]) -> None:
    assert wrong(query) == names


def test_overlays() -> None:
    both = parse("overlay=0,0.7,1,0.3&overlay=0.8,0,0.2,0.1&keep=0,0,0.1,0.1").options
    assert both.overlays == (Constraint("overlay", 0, 0.7, 1, 0.3), Constraint("overlay", 0.8, 0, 0.2, 0.1))
    assert [each.kind for each in both.constraints] == ["keep"]
    for value in ("", "0,0,0,1", "0.5,0,0.6,1", "nan,0,1,1"):
        assert wrong(urlencode({"overlay": value})) == ["overlay"]
    assert wrong("&".join(["overlay=0,0,1,1"] * 5)) == ["overlay"]


def test_fields_of_systems() -> None:
    assert parse("fields=sanity, kirby").options.fields == ("sanity", "kirby")
    assert parse("fields=").options.fields == ()


@pytest.mark.parametrize("value", ["drupal", "sanity,", "sanity,sanity", "Sanity", "x" * 5000])
def test_unknown_fields_are_refused_with_the_list(value: str) -> None:
    with pytest.raises(BadParameters) as refused:
        parse(urlencode({"fields": value}))
    [error] = refused.value.members["errors"]
    assert error["parameter"] == "fields" and ", ".join(FORMS) in error["detail"]


def test_center_is_centre() -> None:
    assert parse("policy=center") == parse("policy=centre")


@pytest.mark.parametrize("policy", ["", "Auto", "window ", "best"])
def test_invalid_policies(policy: str) -> None:
    assert wrong(urlencode({"policy": policy})) == ["policy"]
    assert {parse(f"policy={known}").options.policy for known in POLICIES} == set(POLICIES)


@pytest.mark.parametrize(
    "box", ["0,0,1,1", "0.1,0.2,0.3,0.4", "0.9,0,0.1,1", " 0, 0 ,1,1", "0.7,0.7,0.3,0.3", ".5,0,.5,1"]
)
def test_boxes(box: str) -> None:
    [constraint] = parse(urlencode({"keep": box})).options.constraints
    assert constraint == Constraint("keep", *map(float, box.split(",")))


@pytest.mark.parametrize(
    "box",
    ["", "0,0,1", "0,0,1,1,1", "0,0,0,1", "0,0,1,0", "0.5,0,0.6,1", "-0.1,0,1,1", "nan,0,1,1", "1e-3,0,1,1", "a,b,c,d"]
    + [".,0,.5,1", "0,0,1.1,1", "0..5,0,1,1", "2,2,2,2", "0;0;1;1"],
)  # fmt: skip
def test_invalid_boxes(box: str) -> None:
    for kind in ("keep", "avoid"):
        assert wrong(urlencode({kind: box})) == [kind]


def test_sixteen_of_each_kind() -> None:
    both = "&".join(["keep=0,0,1,1", "avoid=0,0,1,1"] * MOST_CONSTRAINTS)
    assert len(parse(both).options.constraints) == 32
    assert wrong(f"{both}&keep=0,0,1,1") == ["keep"]


def test_all_errors_are_reported_together() -> None:
    query = "ratios=x,0:1&policy=p&zoom=9&candidates=9&keep=1&avoid=2&other=3"
    assert sorted(wrong(query)) == sorted("ratios ratios policy zoom candidates keep avoid other".split())  # noqa: SIM905


def test_unknown_and_repeated_names_are_refused() -> None:
    assert wrong("ratio=1:1") == ["ratio"]
    assert wrong("zoom=2&zoom=2") == ["zoom"]
    assert wrong("V=1", CROPPING | {"v"}) == ["V"]
    assert parse("v=a+b", CROPPING | {"v"}).extra == {"v": "a b"}


def test_valid_parameters_are_returned_beside_the_errors() -> None:
    wanted, errors = parse_collecting_errors("zoom=2&policy=p&width=5", CROPPING | {"width"})
    assert wanted.options == Options("auto", Fraction(2)) and wanted.extra == {"width": "5"}
    assert [error["parameter"] for error in errors] == ["policy"]


@pytest.mark.parametrize("query", ["zoom=%ff", "%c3%28=1", "&".join(["zoom=1"] * 65)])
def test_a_query_that_cannot_be_decoded(query: str) -> None:
    assert wrong(query) == ["query"]


def test_long_queries_are_not_cached_and_parsed_alike() -> None:
    short = "ratios=16:9&keep=0.1,0.1,0.2,0.2"
    long = short + "&keep=0.1,0.1,0.2,0.2" * 12
    assert len(long) > 256 and parse(long).ratios == parse(short).ratios


@given(st.text(max_size=300))
def test_any_query_is_parsed_or_refused(query: str) -> None:
    for text in (query, urlencode([("ratios", query), ("zoom", query), ("keep", query)], errors="replace")):
        try:
            assert parse(text).ratios
        except BadParameters as error:
            assert error.members["errors"]


@given(st.text(max_size=40))
def test_any_ratio_in_a_path_is_parsed_or_refused(text: str) -> None:
    try:
        assert Fraction(1, 20) <= Fraction(one_ratio(text).numerator, one_ratio(text).denominator) <= 20
    except BadParameters as error:
        assert error.members["errors"][0]["parameter"] == "ratio"
