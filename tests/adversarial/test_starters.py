"""What hostile texts do to the starters: nothing. Each gets an answer, in bounded work and memory;
a trap is no answer. The starters run directly here (`support.starters`), with a component's memory
and a count of their instructions; whatever they raise fails the test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.starters import Starter

BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MILLION = 1_000_000


@pytest.fixture(scope="module")
def toolbox() -> Starter:
    return Starter("toolbox")


@pytest.fixture(scope="module")
def data() -> Starter:
    return Starter("data")


@pytest.fixture(scope="module")
def fetch() -> Starter:
    return Starter("fetch")


def any_answer(answer: Any) -> None:
    assert set(answer) in ({"ok"}, {"err"})


# ---- random texts made of what means something ----


@BOUNDED
@given(st.text(r"()[]{}|*+?\^$.-,:<>=!Pdwsbx0129uaé" + "\0\n", max_size=40), st.text(max_size=30))
def test_any_text_as_a_pattern(toolbox: Starter, pattern: str, text: str) -> None:
    any_answer(toolbox("find-pattern", text=text, pattern=pattern))
    any_answer(toolbox("replace-pattern", text=text, pattern=pattern, replacement=pattern[::-1]))


@BOUNDED
@given(st.text('{}[]",:\\nulfatre0123456789.eE+- \t\n\0é', max_size=60))
def test_any_text_as_json(data: Starter, text: str) -> None:
    for form in ("json", "jsonl"):
        answer = data("query", data=text, format=form)
        any_answer(answer)
        if "ok" in answer:
            json.loads(answer["ok"]["text"])


@BOUNDED
@given(st.text('",;\t\r\n a1é\0', max_size=60))
def test_any_text_as_csv(data: Starter, text: str) -> None:
    for form in (None, "csv", "tsv"):
        any_answer(data("query", data=text, format=form))
        any_answer(data("describe", data=text, format=form))


TAGS = "a b i p br ul ol li pre code table tr td th h1 blockquote script style title main nav img"
HTML = st.lists(
    st.one_of(
        st.sampled_from([f"<{'/' * close}{tag}>" for tag in TAGS.split() for close in (0, 1)]),
        st.sampled_from(
            ["<", ">", "&", "&lt;", "&#x110000;", "<!--", "-->", "<a href='", '"', "'"]
        ),
        st.sampled_from(
            ["<a href=x>", "<img src=y alt=z>", "<![CDATA[", "<?x", "</", "text ", "\n"]
        ),
        st.text(max_size=4),
    ),
    max_size=40,
).map("".join)


@BOUNDED
@given(HTML, st.text("ahtps:/.?#%é ", max_size=20), st.booleans())
def test_any_text_as_html(fetch: Starter, html: str, base: str, whole: bool) -> None:
    any_answer(fetch("html-to-markdown", html=html, base_url=base, whole_page=whole))


@BOUNDED
@given(st.text("0123456789-:TZ+. é", max_size=30), st.text(max_size=10))
def test_any_text_as_a_time(toolbox: Starter, timestamp: str, zone: str) -> None:
    any_answer(toolbox("time-in-zone", zone="Europe/Berlin", timestamp=timestamp, from_zone="UTC"))
    any_answer(toolbox("time-in-zone", zone=zone, timestamp=timestamp))


# ---- texts that make others slow, or take their memory ----


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*b",
        "(a|aa)+b",
        "(a|a)*b",
        "(?:a?){500}a{500}b",
        "(.*)(.*)(.*)(.*)(.*)b",
        "(?:(?:(?:(?:a{0}){1000}){1000}){1000}){1000}b",
        "(?:x{1,30}){1,30}" * 3,
        "[^b]*" * 100 + "b",
    ],
)
def test_the_pattern_that_never_ends(toolbox: Starter, pattern: str) -> None:
    any_answer(toolbox("find-pattern", text="a" * 20_000, pattern=pattern))


def test_the_pattern_that_fills_memory(toolbox: Starter) -> None:
    groups = "".join(f"(a{{0,{n}}})" for n in range(200, 231))
    any_answer(toolbox("find-pattern", text="a" * 5000, pattern=groups, limit=10_000))
    any_answer(toolbox("replace-pattern", text="a" * MILLION, pattern="", replacement="x" * 1000))
    any_answer(
        toolbox("find-pattern", text="a" * MILLION, pattern="|".join("()" * 31), limit=10_000)
    )


def test_the_differences_without_end(toolbox: Starter) -> None:
    old = "".join(f"{i % 7}\n" for i in range(100_000))
    new = "".join(f"{i % 5}\n" for i in range(100_000))
    any_answer(toolbox("diff-texts", old=old, new=new))
    any_answer(toolbox("diff-texts", old="\n" * MILLION, new="a\n" * MILLION))


@pytest.mark.parametrize(
    "html",
    [
        "<a " * MILLION,
        "<a href=x>" * 100_000,
        "<!--" * MILLION,
        "<script>" * 500_000 + "<x " * 100_000,
        "<nav>" * MILLION,
        "<main>" * 500_000 + "</main>" * 200_000,
        "<ul><li>" * 100_000 + "x",
        "<blockquote>" * 300_000 + "x",
        "<table><tr>" + "<td>" * 300_000,
        "<b><i><code>" * 300_000,
        "<pre>" + "\n" * MILLION,
        "<ol><li>" * 40 + "<br>x" * 500_000,
        "<a href='" + "&amp;" * MILLION + "'>x</a>",
        "<p " + "a=b " * MILLION + ">x",
        "<p a=\"'" * 500_000,
        "&" * MILLION,
        "<img alt='" + "x" * MILLION + "' src=y>",
        "<title>" * 500_000,
    ],
    ids=lambda html: html[:12],
)
def test_the_page_that_never_ends(fetch: Starter, html: str) -> None:
    for base in ("http://h/" + "p/" * 500, "http://h/" + "p/" * 4000):
        any_answer(fetch("html-to-markdown", html=html[: 5 << 20], base_url=base))


@pytest.mark.parametrize(
    "text",
    [
        "[" * MILLION,
        "{" * MILLION,
        '{"a":' * MILLION,
        "[{" + '"a":{},' * MILLION + '"b":1}]',
        "[" + '{"\\n":"\\n"},' * 500_000 + "{}]",
        "[" + ",".join(f'{{"k{i}":1}}' for i in range(5000)) + "]",
        "[{}" + ",{}" * MILLION + "]",
        '[{"a":"' + "\\u00e9" * MILLION + '"}]',
        '[{"' + "k" * MILLION + '":1}]',
        '[{"a":' + "9" * MILLION + "}]",
        '[{"a":1e' + "9" * 300 + "}]",
        "a,b\n" + '""""""' * 500_000,
        "a\n" + '"' * MILLION,
        "a\n" + "\n" * MILLION,
        "," * MILLION,
        "a,b\n" + ",\n" * 300_000,
        "a;b\n" + "1;2\r" * 400_000,
    ],
    ids=lambda text: text[:12],
)
def test_the_table_that_fills_memory(data: Starter, text: str) -> None:
    any_answer(data("query", data=text, limit=5))
    any_answer(data("describe", data=text))
    everything = {
        "sort": [{"column": "a"}],
        "group_by": ["a"],
        "aggregates": [{"function": "count-distinct", "column": "a"}],
    }
    any_answer(data("query", data=text, limit=5, **everything))


def test_conditions_without_end(data: Starter) -> None:
    rows = "a\n" + ("a" * 50 + "\n") * 20_000
    where = [{"column": "a", "comparison": "matches", "value": "(a?){50}(a*)*b"}] * 8
    any_answer(data("query", data=rows, where=where))
    contains = [{"column": "a", "comparison": "contains", "value": "a" * 49 + "b"}] * 64
    any_answer(data("query", data=rows, where=contains))
