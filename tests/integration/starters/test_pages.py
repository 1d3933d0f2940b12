"""The starter `fetch`: pages of a real server as Markdown; what it may not reach, it does not."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from support.starters import Hosted, Starter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wassette.host import Host


pytestmark = pytest.mark.anyio

ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/page": (
        200,
        {"content-type": "text/html"},
        b"<title>A &amp; B</title><p>Hi <a href='x'>x</a>",
    ),
    "/text": (200, {"content-type": "text/plain"}, "äöü".encode() * 1000),
    "/latin": (200, {"content-type": "text/html; charset=ISO-8859-1"}, b"<p>gr\xfcn \x80"),
    "/json": (200, {"content-type": "application/json"}, b'{"a": [1, 2]}'),
    "/image": (200, {"content-type": "image/png"}, b"\x89PNG\0"),
    "/gone": (404, {"content-type": "text/plain"}, b"no"),
    "/empty": (200, {"content-type": "text/plain"}, b""),
    "/on": (302, {"location": "sub/../page#part"}, b""),
    "/away": (302, {"location": "http://127.0.0.2:9/"}, b""),
    "/loop": (302, {"location": "/loop"}, b""),
    "/file": (302, {"location": "file:///etc/passwd"}, b""),
    "/large": (200, {"content-type": "text/plain"}, b"x" * (6 << 20)),
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers, body = ANSWERS[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # who reads the beginning only
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.fixture
async def web(host: Host, server: str) -> Hosted:
    await host.load("starter:fetch")
    await host.grant_network("fetch", server)
    return Hosted(host)


async def test_a_page(web: Hosted, server: str) -> None:
    page = await web.ok("fetch", url=f"http://{server}/page")
    assert page == {
        "url": f"http://{server}/page",
        "status": 200,
        "content-type": "text/html",
        "title": "A & B",
        "content": f"Hi [x](http://{server}/x)",
        "length": len(page["content"]),
        "next-index": None,
        "incomplete": False,
    }
    raw = await web.ok("fetch", url=f"http://{server}/page", raw=True)
    assert raw["content"] == ANSWERS["/page"][2].decode()
    assert (await web.ok("fetch", url=f"http://{server}/on"))["url"] == f"http://{server}/page"


async def test_other_texts(web: Hosted, server: str) -> None:
    assert (await web.ok("fetch", url=f"http://{server}/latin"))["content"] == "grün €"
    assert (await web.ok("fetch", url=f"http://{server}/json"))["content"] == '{"a": [1, 2]}'
    assert (await web.ok("fetch", url=f"http://{server}/empty"))["content"] == ""
    assert "no text but image/png" in await web.error("fetch", url=f"http://{server}/image")
    assert "status 404" in await web.error("fetch", url=f"http://{server}/gone")


async def test_reading_on(web: Hosted, server: str) -> None:
    """By characters, none of which is cut."""
    text, start = "", 0
    while start is not None:
        page = await web.ok(
            "fetch", url=f"http://{server}/text", max_length=1234, start_index=start
        )
        text, start = text + page["content"], page["next-index"]
    assert text == "äöü" * 1000
    past = await web.ok("fetch", url=f"http://{server}/text", start_index=5000)
    assert (past["content"], past["next-index"]) == ("", None)


async def test_no_more_than_5_mib_is_read(web: Hosted, server: str) -> None:
    page = await web.ok("fetch", url=f"http://{server}/large", max_length=10)
    assert (page["length"], page["incomplete"]) == (5 << 20, True)


async def test_where_it_leads_is_decided_again(web: Hosted, server: str) -> None:
    """A server that may be asked cannot send it to one that may not."""
    assert "not permitted" in await web.error("fetch", url=f"http://{server}/away")
    assert "not an http or https URL" in await web.error("fetch", url=f"http://{server}/file")
    assert "on and on" in await web.error("fetch", url=f"http://{server}/loop")


async def test_nothing_is_permitted_by_itself(host: Host, server: str) -> None:
    await host.load("starter:fetch")
    assert "not permitted" in await Hosted(host).error("fetch", url=f"http://{server}/page")
    for url in ("", "ftp://x/", "file:///etc/passwd", "http://", "http://a b/", "javascript:1"):
        assert "not an http or https URL" in await Hosted(host).error("fetch", url=url)


# ---- Markdown ----


@pytest.fixture(scope="module")
def fetch() -> Starter:
    return Starter("fetch")


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("a <b>b</b>\n c", "a **b** c"),
        ("<h2>T</h2><p>x</p>y", "## T\n\nx\n\ny"),
        ("x<br>y<br/>z", "x\ny\nz"),
        ("<ul><li>a<li>b<ol><li>c</ol></ul>d", "- a\n- b\n  1. c\n\nd"),
        ("<ol><li><p>a</p><p>b</p></li></ol>", "1. a\n   b"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\n\nc"),
        ("<pre>a  &lt;b\n  c\n</pre>d", "```\na  <b\n  c\n```\n\nd"),
        ("<a href='/p?a=1&amp;b=2'>t</a>", "[t](https://h.example/p?a=1&b=2)"),
        ("<a href='../q'>t</a><a href='javascript:x'>u</a>", "[t](https://h.example/q)u"),
        ("<a href='x'></a><b></b><a>y</a>", "y"),
        ("<img src=i.png alt='An image'>", "![An image](https://h.example/a/i.png)"),
        (
            "<table><tr><th>A<th>B<tr><td>1<td><b>2</b></table>z",
            "| A | B |\n| --- | --- |\n| 1 | **2** |\n\nz",
        ),
        ("&lt;&amp;&nbsp;&eacute;&#8364;&#x20ac;&unknown;&", "<&\u00a0é€€&unknown;&"),
        (
            "a<script>var x = '<p>no</p>';</script>b<style>p{}</style><!-- c -->",
            "ab",
        ),
        ("1 < 2 <3 <", "1 < 2 <3 <"),
        ("<nav>menu</nav><p>x</p><footer>f</footer>", "x"),
        ("<hr>", "---"),
    ],
)
def test_html_becomes_markdown(fetch: Starter, html: str, markdown: str) -> None:
    base = "https://h.example/a/b?c"
    assert fetch.ok("html-to-markdown", html=html, base_url=base) == markdown


def test_the_main_content_is_what_is_shown(fetch: Starter) -> None:
    page = f"<body>head<nav>menu</nav><main><h1>T</h1>{'word ' * 60}</main>beside</body>"
    text = fetch.ok("html-to-markdown", html=page)
    assert text.startswith("# T\n\nword")
    assert not {"head", "menu", "beside"} & set(text.split())
    whole = fetch.ok("html-to-markdown", html=page, whole_page=True)
    assert {"head", "menu", "beside"} <= set(whole.split())
