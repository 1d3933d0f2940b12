"""Questions of tables, answered as Python's own csv, json and statistics do."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.starters import Hosted, Starter

if TYPE_CHECKING:
    from pathlib import Path

    from wassette.host import Host

PEOPLE = "name,age,city\nAnn,31,Rome\nBob,4,\nCy,31,Oslo\nDi,,Rome\n"
COLUMNS = ["a", "b", "c d"]


@pytest.fixture(scope="module")
def data() -> Starter:
    return Starter("data")


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    found = json.loads(table["text"])
    assert len(found) == table["rows"]
    return found  # type: ignore[no-any-return]


def names(table: dict[str, Any]) -> str:
    return "".join(row["name"][0] for row in rows(table))


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ("equal", "31", "AC"),
        ("equal", "31.0", "AC"),
        ("not-equal", "31", "BD"),
        ("less", "31", "B"),
        ("at-most", "31", "ABC"),
        ("greater", "3.9", "ABC"),
        ("at-least", "31", "AC"),
        ("is-empty", None, "D"),
        ("is-not-empty", None, "ABC"),
        ("matches", "^3", "AC"),
    ],
)
def test_conditions_on_numbers(
    data: Starter, comparison: str, value: str | None, expected: str
) -> None:
    where = [{"column": "age", "comparison": comparison, "value": value}]
    assert names(data.ok("query", data=PEOPLE, where=where)) == expected


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ("equal", "Rome", "AD"),
        ("contains", "o", "ACD"),
        ("contains", "sl", "C"),
        ("starts-with", "O", "C"),
        ("ends-with", "me", "AD"),
        ("less", "Rome", "C"),
        ("equal", "", "B"),
        ("matches", "^(R|O).*[eo]$", "ACD"),
    ],
)
def test_conditions_on_texts(data: Starter, comparison: str, value: str, expected: str) -> None:
    where = [{"column": "city", "comparison": comparison, "value": value}]
    assert names(data.ok("query", data=PEOPLE, where=where)) == expected


def test_conditions_all_have_to_hold(data: Starter) -> None:
    where = [
        {"column": "city", "comparison": "equal", "value": "Rome"},
        {"column": "age", "comparison": "is-not-empty"},
    ]
    assert names(data.ok("query", data=PEOPLE, where=where)) == "A"


def test_sorting(data: Starter) -> None:
    by_age = [{"column": "age", "descending": True}, {"column": "name", "descending": True}]
    assert names(data.ok("query", data=PEOPLE, sort=by_age)) == "CABD"  # who has none comes last
    assert names(data.ok("query", data=PEOPLE, sort=[{"column": "age"}])) == "BACD"
    page = data.ok("query", data=PEOPLE, sort=[{"column": "name"}], offset=1, limit=2)
    assert (names(page), page["rows"], page["total"]) == ("BC", 2, 4)


def test_groups(data: Starter) -> None:
    answer = data.ok(
        "query",
        data=PEOPLE,
        group_by=["city"],
        aggregates=[
            {"function": "count"},
            {"function": "count", "column": "age", "name": "with age"},
            {"function": "average", "column": "age"},
            {"function": "maximum", "column": "name"},
        ],
        sort=[{"column": "count", "descending": True}],
        output="csv",
    )
    assert list(csv.reader(io.StringIO(answer["text"]))) == [
        ["city", "count", "with age", "average(age)", "maximum(name)"],
        ["Rome", "2", "1", "31", "Di"],
        ["Oslo", "1", "1", "31", "Cy"],
        ["", "1", "1", "4", "Bob"],
    ]
    none = data.ok(
        "query",
        data="a\n",
        aggregates=[{"function": "count"}, {"function": "average", "column": "a"}],
    )
    assert rows(none) == [{"count": 0, "average(a)": None}]


def test_objects_in_objects(data: Starter) -> None:
    given = {"result": {"items": [{"a": 1, "b": {"c": "é\n", "d": [1, {"x": 2}]}}, {"e": True}]}}
    found = rows(data.ok("query", data=json.dumps(given), at="result.items"))
    assert found == [
        {"a": 1, "b.c": "é\n", "b.d": [1, {"x": 2}], "e": None},
        {"a": None, "b.c": None, "b.d": None, "e": True},
    ]
    assert "nothing of that name" in data.error("query", data=json.dumps(given), at="result.x")
    lines = '{"a": 1}\n{"a": 2}\n'
    assert rows(data.ok("query", data=lines)) == [{"a": 1}, {"a": 2}]
    assert rows(data.ok("query", data="a\tb\n1\tx y\n")) == [{"a": 1, "b": "x y"}]
    assert rows(data.ok("query", data="a;b\n1;x,y\n")) == [{"a": 1, "b": "x,y"}]


def test_markdown(data: Starter) -> None:
    text = data.ok("query", data='a,b\n"x|y","1\n2"\n', output="markdown")["text"]
    assert text == "| a | b |\n|---|---|\n| x\\|y | 1 2 |\n"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"data": "[1]"}, "a row is not an object (line 1, column 2)"),
        ({"data": '[{"a":1}\n {}]'}, "a comma or ] is missing (line 2"),
        ({"data": '[{"a":01}]'}, "comma or }"),
        ({"data": '[{"a":1}] x'}, "more follows"),
        ({"data": "[" * 500}, "a row is not"),
        ({"data": '[{"a":' + "[" * 500}, "nested too deeply"),
        ({"data": "a,b\n1,2,3\n"}, "row 1 has more values"),
        ({"data": "a\n1\n", "columns": ["b"]}, 'no column "b"; there are: a'),
        ({"data": "a\n", "where": [{"column": "a", "comparison": "equal"}]}, "has no value"),
        (
            {"data": "a\n", "where": [{"column": "a", "comparison": "matches", "value": "("}]},
            "without its )",
        ),
        ({"data": "a\n", "aggregates": [{"function": "sum"}]}, "without a column"),
        ({"data": ",".join(map(str, range(300)))}, "more than 256 columns"),
        ({"data": ",".join("abcdefgh") + "\n,,,,,,,\n" * 300_000}, "more than 2,000,000 values"),
    ],
)
def test_mistakes_are_explained(data: Starter, given: dict[str, Any], why: str) -> None:
    assert why in data.error("query", **given)


def test_describing(data: Starter) -> None:
    answer = data.ok("describe", data="n,t,m,e\n2,x,1,\n10,,a,\n2,b,,\n")
    found = [tuple(column.values()) for column in answer["columns"]]
    assert answer["rows"] == 3
    assert found == [
        ("n", "number", 3, 2, "2", "10"),
        ("t", "text", 2, 2, "b", "x"),
        ("m", "mixed", 2, 2, "1", "a"),
        ("e", "empty", 0, 0, None, None),
    ]


# ---- against Python ----

CELLS = st.one_of(
    st.text(max_size=8).filter(lambda text: "\0" not in text),
    st.text('",;\n\r\t ab', max_size=6),
    st.integers().map(str),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5))
def test_csv_is_read_as_by_python_and_what_is_written_is_read_again(
    data: Starter, table: list[list[str]]
) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *table])  # else it leaves \r bare
    given = out.getvalue()
    answer = data.ok("query", data=given, format="csv", output="csv")
    for text in (given, answer["text"]):
        read = list(csv.reader(io.StringIO(text, newline="")))
        assert read == [COLUMNS, *table]
    assert answer["rows"] == len(table)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=4), st.booleans()
)
def test_json_comes_back_as_it_was(
    data: Starter, table: list[dict[str, Any]], ascii_only: bool
) -> None:
    text = json.dumps(table, ensure_ascii=ascii_only)
    found = rows(data.ok("query", data=text, format="json"))
    columns = dict.fromkeys(itertools.chain.from_iterable(table))
    assert found == [{name: row.get(name) for name in columns} for row in table]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=8))
def test_sums_are_those_of_python(data: Starter, numbers: list[float]) -> None:
    text = json.dumps([{"a": number} for number in numbers])
    aggregates = [
        {"function": name, "column": "a"} for name in ("sum", "average", "minimum", "maximum")
    ]
    [found] = rows(data.ok("query", data=text, aggregates=aggregates))
    expected, most = math.fsum(numbers), max(map(abs, numbers))
    assert math.isclose(found["sum(a)"], expected, rel_tol=1e-13, abs_tol=most * 1e-14)
    assert math.isclose(
        found["average(a)"], expected / len(numbers), rel_tol=1e-13, abs_tol=most * 1e-14
    )
    # Numbers are written to 15 digits.
    for name, one in (("minimum", min(numbers)), ("maximum", max(numbers))):
        assert math.isclose(found[f"{name}(a)"], one, rel_tol=2e-14)


@settings(max_examples=150, deadline=None)
@given(st.floats(-1e307, 1e307))
def test_numbers_are_written_to_15_digits(data: Starter, number: float) -> None:
    text = json.dumps([{"a": number}])
    [found] = rows(data.ok("query", data=text, aggregates=[{"function": "sum", "column": "a"}]))
    assert math.isclose(found["sum(a)"] or 0.0, number, rel_tol=2e-14, abs_tol=1e-300)


@pytest.mark.anyio
async def test_a_file(host: Host, tmp_path: Path) -> None:
    await host.load("starter:data")
    tools = Hosted(host)
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE)
    assert "not permitted" in await tools.error("query-file", path=str(file))
    await host.grant_storage("data", f"fs://{tmp_path}", ["read"])
    answer = await tools.ok("query-file", path=str(file), columns=["name"], limit=1)
    assert answer == {"text": '[{"name": "Ann"}]', "rows": 1, "total": 4}
    assert (await tools.ok("describe-file", path=str(file)))["rows"] == 4
    (tmp_path / "x.jsonl").write_bytes(b'{"a": "\xff"}\n')
    answer = await tools.ok("query-file", path=str(tmp_path / "x.jsonl"))
    assert json.loads(answer["text"]) == [{"a": "�"}]
