"""Another web page, in the same browser in which the window is open: it reads and changes nothing.

Its server is on another port of this machine, so that the browser sends the window's cookie along.
"""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.window import Window, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

_PAGE = b"<!doctype html><title>evil</title><body><form method=post></form></body>"

READS = """async (origin) => {
  const out = {}
  const attempt = async (name, work) => {
    try { out[name] = await work() } catch (error) { out[name] = null }
  }
  const paths = ['/api/session', '/api/components', '/api/activity', '/']
  for (const mode of ['cors', 'no-cors'])
    for (const path of paths)
      await attempt(`${mode} ${path}`, async () => {
        const answer = await fetch(origin + path, { mode, credentials: 'include' })
        return (await answer.text()) || null
      })
  await attempt('script', () => new Promise((done) => {
    const one = document.createElement('script')
    one.onload = () => done('loaded'); one.onerror = () => done(null)
    one.src = origin + '/api/session'; document.body.append(one)
  }))
  await attempt('image', () => new Promise((done) => {
    const one = new Image()
    one.onload = () => done('loaded'); one.onerror = () => done(null)
    one.src = origin + '/icon.svg'
  }))
  await attempt('events', () => new Promise((done) => {
    const one = new EventSource(origin + '/events', { withCredentials: true })
    one.onmessage = one.onopen = () => done('open'); one.onerror = () => { one.close(); done(null) }
  }))
  await attempt('frame', () => new Promise((done) => {
    const one = document.createElement('iframe')
    one.onload = () => {
      try { done(one.contentDocument.body.innerHTML || null) } catch { done(null) }
    }
    one.src = origin + '/'; document.body.append(one)
  }))
  return out
}"""

CHANGES = """async ([origin, csrf]) => {
  const grant = JSON.stringify({ kind: 'network', host: 'evil.example' })
  const sent = []
  const kinds = ['text/plain', 'application/json', 'application/x-www-form-urlencoded']
  for (const [path, body] of [
    ['/api/components/toolbox/permissions', grant],
    ['/api/pause', '{"paused": true}'],
    ['/api/loads', '{"reference": "starter:toolbox"}'],
    ['/api/components/toolbox/enabled', '{"enabled": false}'],
  ])
    for (const kind of kinds)
      for (const mode of ['cors', 'no-cors'])
        try {
          const token = mode === 'cors' ? { 'X-Wassette-CSRF': csrf } : {}
          const headers = { 'Content-Type': kind, ...token }
          const answer = await fetch(origin + path, {
            method: 'POST', mode, credentials: 'include', headers, body,
          })
          sent.push(answer.type)
        } catch { sent.push('refused') }
  for (const method of ['PUT', 'DELETE', 'PATCH'])
    try {
      await fetch(origin + '/api/components/toolbox', { method, credentials: 'include' })
      sent.push('done')
    } catch { sent.push('refused') }
  const beacon = new Blob(['{"paused": true}'], { type: 'text/plain' })
  navigator.sendBeacon(origin + '/api/pause', beacon)
  const form = document.querySelector('form')
  form.action = origin + '/api/pause'; form.enctype = 'text/plain'; form.target = 'there'
  const field = document.createElement('input')
  field.name = '{"paused": true, "x": "'; field.value = '"}'
  form.append(field)
  const frame = document.createElement('iframe')
  frame.name = 'there'; document.body.append(frame)
  form.submit()
  await new Promise((done) => setTimeout(done, 500))
  return sent
}"""


class _Evil(http.server.BaseHTTPRequestHandler):
    cookies: list[str]

    def do_GET(self) -> None:
        self.server.cookies.append(self.headers.get("Cookie", ""))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def evil() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Evil)
    server.cookies = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def state(window: Window) -> Any:
    """What another page could want to change, as the window itself sees it."""
    return window.page.evaluate("""async () => {
      const get = async (path) => (await fetch(path)).json()
      const { paused } = await get('/api/status')
      const { status } = await get('/api/components/toolbox/policy')
      const { enabled } = await get('/api/components/toolbox')
      const loads = (await get('/api/loads')).items.length
      return { paused, status, enabled, loads }
    }""")


def test_a_page_of_another_port(own_window: Window, evil: Any) -> None:
    before = state(own_window)
    assert before == {"paused": False, "status": "absent", "enabled": True, "loads": 0}
    csrf = own_window.page.evaluate("async () => (await (await fetch('/api/session')).json()).csrf")
    page = own_window.page.context.new_page()
    page.goto(f"http://127.0.0.1:{evil.server_port}/")
    # The attack is a real one: the browser sends the cookie to the other server, too.
    assert any("wassette-" in cookie for cookie in evil.cookies)
    read = page.evaluate(READS, own_window.origin)
    assert len(read) == 12
    assert not any(read.values()), read
    # Even if it had found out the token.
    sent = page.evaluate(CHANGES, [own_window.origin, csrf])
    assert set(sent) <= {"refused", "opaque"}
    assert state(own_window) == before
    # Nor does it get hold of a window that it opens.
    with page.context.expect_page() as opened:
        page.evaluate("(origin) => { window.other = window.open(origin + '/') }", own_window.origin)
    opened.value.wait_for_load_state()
    assert page.evaluate(
        "() => { try { return window.other.document.body.innerHTML } catch { return null } }"
    ) in (None, "")
    page.close()


def test_a_name_that_was_made_to_lead_here(own_window: Window, browser: Browser, evil: Any) -> None:
    """DNS rebinding: for the browser, the attacker's page and the window have one origin."""
    port = own_window.origin.rpartition(":")[2]
    rebound = browser.browser_type.launch(
        executable_path=chromium(), args=["--host-resolver-rules=MAP evil.example 127.0.0.1"]
    )
    try:
        page = rebound.new_page()
        answer = page.goto(f"http://evil.example:{port}/")
        assert answer is not None
        assert answer.status == 421
        found = page.evaluate(
            "async () => (await Promise.all(['/api/session', '/open/x'].map("
            "async (one) => (await fetch(one)).status)))"
        )
        assert found == [421, 421]
    finally:
        rebound.close()
