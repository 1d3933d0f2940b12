"""The desktop app, in its loop: what it knows of the host goes to the icon, the menu and the
notifications, what a person clicks goes to the host. See `run.py` for threads and the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wassette.errors import WassetteError, visible

from .api import Api, ApiError
from .autostart import AutostartError, Told
from .keeper import Keeper
from .notices import MORE, TOO_SOON, Button, Notice, notices
from .notices.plain import NoNotifier
from .state import APPROVALS, Action, Approval, Component, Do, State, menu
from .trays.none import NoTray
from .wanted import HOME
from .window import Window, has_display

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from wassette.config import Settings
    from wassette.window.offered import Autostart

    from .api import Event
    from .instance import Instance
    from .notices import Notifier
    from .trays import Tray

log = logging.getLogger(__name__)

RETRY = 1.0
"""Seconds until the host is looked for again. Not less: `wassette host stop` waits until there is
none, and who comes at once would be taken for the one that does not end."""
LOOK = 5.0
"""Seconds between looks whether the host is there, where nothing is shown that would change."""
TURN = 0.25
"""Seconds between pictures of turning reels."""
MAX_COMPONENTS = 1000
_PROBLEM = "problem"


@dataclass(frozen=True)
class Options:
    """What the app was started with."""

    place: str = HOME
    """Where the window opens."""
    background: bool = False
    """No window at first; closing it ends nothing."""
    browser: bool = False
    """The browser in place of a window."""


@dataclass(frozen=True)
class _Asked:
    """An approval that a notification is shown for."""

    approval: Approval | None
    notice: Notice
    at: float


class App:
    """`act` and `quit` can be called from any thread; the rest is the loop's."""

    def __init__(
        self,
        settings: Settings,
        options: Options,
        autostart: Autostart,
        say: Callable[[str], None],
        link_page: Callable[[str], bool],
        icon: str | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._autostart = autostart
        self._say = say
        self._link_page = link_page
        self._quit = asyncio.Event()
        self._state = State()
        self._frame = 0
        self._at_login: bool | None = None
        self._api: Api | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: dict[str, _Asked] = {}
        self._wanted: str | None = None
        """A place that a person wants to see, once there is a host."""
        self.tray: Tray = NoTray()
        self.notifier: Notifier = NoNotifier()
        # In the window it can be set, too; the menu shows it then.
        self.keeper = Keeper(settings, self._ended_by_others, Told(autostart, self._login_changed))
        self.window = Window(
            self.keeper.link,
            self._browse,
            self._window_closed,
            icon=icon,
            possible=has_display() and not options.browser,
        )

    # -- from any thread -------------------------------------------------------------------------

    def act(self, action: Action) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(self._begin, action)

    def quit(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._quit.set)

    # -- life ------------------------------------------------------------------------------------

    async def run(self, instance: Instance) -> None:
        """Until somebody quits. Everything that was started is gone then."""
        await instance.listen(self.show)
        self._at_login = await asyncio.to_thread(self._look_at_login)
        if not self._options.background:
            self._wanted = self._options.place
        following = asyncio.create_task(self._follow())
        self._shown()
        try:
            await self._quit.wait()
        finally:
            instance.close()
            following.cancel()
            if self._api is not None:
                self._api.close()
            await self.window.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(following, *self._tasks, return_exceptions=True)
            await self.notifier.close()
            await self.keeper.end()

    def show(self, place: str) -> None:
        """Have the window show a place, now or once there is a host."""
        self._wanted = place
        if self._state.connected:
            self._in_background(self._show_wanted())

    def _ended_by_others(self) -> None:
        self._say("Wassette was told to end.")
        self._quit.set()

    def _window_closed(self) -> None:
        if not self.tray.visible and not self._options.background:
            self._quit.set()  # the window was all that there is of the app

    # -- the host --------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Know what the host knows, for as long as there is one, and then of the next."""
        said = ""
        first = True
        while True:
            try:
                link = await self.keeper.link()
                api = self._api = await asyncio.to_thread(Api.open, link)
                await self._connected(api, first)
                first = False
                said = ""
                await self._until_it_can_be_told(api)
                await self._events(api)
            except WassetteError as error:
                problem = str(error)
                if not isinstance(error, ApiError) and problem != said:
                    said = problem
                    self._say(f"Error: {problem}")
                log.info("no connection to the host: %s", problem)
                lost = problem if not isinstance(error, ApiError) or not first else ""
                self._set(State(problem=visible(lost, 300)))
            await asyncio.sleep(RETRY)

    async def _connected(self, api: Api, first: bool) -> None:
        status = await asyncio.to_thread(api.get, "/api/status")
        components = await asyncio.to_thread(_components, api)
        waiting = await asyncio.to_thread(_waiting, api)
        self._set(
            replace(
                _with_status(State(connected=True), status), components=components, waiting=waiting
            )
        )
        if not first:
            self._in_background(self.window.renew())
        if self._wanted is not None:
            self._in_background(self._show_wanted())

    async def _until_it_can_be_told(self, api: Api) -> None:
        """Whoever follows the events counts as a person who looks, and the clients' own dialogs
        step back. Without an icon and notifications nobody would look."""
        while not self.tray.visible and not await self.notifier.available():
            await asyncio.sleep(LOOK)
            status = await asyncio.to_thread(api.get, "/api/status")
            self._set(_with_status(self._state, status))

    async def _events(self, api: Api) -> None:
        """Until the stream ends, which raises `ApiError`. It is read in a thread."""
        queue: asyncio.Queue[Event | BaseException] = asyncio.Queue()

        def put(what: Event | BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is over
                self._loop.call_soon_threadsafe(queue.put_nowait, what)

        def read() -> None:
            try:
                for event in api.events():
                    put(event)
                put(ApiError("the stream of events is over"))
            except BaseException as error:  # noqa: BLE001  (raised below, in the loop)
                put(error)

        threading.Thread(target=read, name="events", daemon=True).start()
        try:
            while True:
                found = [await queue.get()]
                while not queue.empty():
                    found.append(queue.get_nowait())
                for one in found:
                    if isinstance(one, BaseException):
                        raise one
                events = [one for one in found if not isinstance(one, BaseException)]
                await self._happened(api, events)
        finally:
            api.close()

    async def _happened(self, api: Api, events: list[Event]) -> None:
        """Several at once are looked into once."""
        state = self._state
        types = {event.type for event in events}
        fresh = any(event.type == "hello" and not event.data.get("resumed") for event in events)
        for event in events:
            if event.type == "status":
                state = _with_status(state, event.data.get("status") or {})
        if "components" in types or fresh:
            state = replace(state, components=await asyncio.to_thread(_components, api))
        if "approval" in types or fresh:
            state = replace(state, waiting=await asyncio.to_thread(_waiting, api))
        self._set(state)

    # -- what is shown ---------------------------------------------------------------------------

    def _set(self, state: State) -> None:
        before, self._state = self._state, state
        if state == before:
            return
        self._shown()
        if state.running and not before.running:
            self._in_background(self._turn())
        if state.waiting != before.waiting:
            self._in_background(self._notify(state.waiting))

    def _shown(self) -> None:
        state = self._state
        self.tray.show(state.picture(self._frame), state.summary, menu(state, self._at_login))

    async def _turn(self) -> None:
        while self._state.running:
            self._frame += 1
            self._shown()
            await asyncio.sleep(TURN)

    async def _notify(self, waiting: tuple[Approval, ...]) -> None:
        wanted = notices(waiting)
        for key in list(self._asked):
            if key not in wanted and key != _PROBLEM:
                del self._asked[key]
                await self.notifier.withdraw(key)
        by_id = {one.id: one for one in waiting}
        for key, notice in wanted.items():
            before = self._asked.get(key)
            if before is None or before.notice != notice:
                await self._ask(by_id.get(key), notice)

    async def _ask(self, approval: Approval | None, notice: Notice) -> None:
        self._asked[notice.key] = _Asked(approval, notice, self._loop.time())
        await self.notifier.show(notice)

    async def _tell_problem(self, text: str) -> None:
        log.warning("%s", text)
        await self.notifier.show(Notice(_PROBLEM, "Wassette", visible(text, 500)))

    # -- what a person does ----------------------------------------------------------------------

    def pressed(self, key: str, button: Button) -> None:
        """A button of a notification."""
        if key in (_PROBLEM, MORE) or button is Button.OPEN:
            there = APPROVALS if key in (MORE, _PROBLEM) else f"{APPROVALS}/{quote(key, safe='')}"
            self._in_background(self._do(Action(Do.OPEN, there)))
            return
        asked = self._asked.get(key)
        if asked is None or asked.approval is None:
            return  # decided meanwhile
        if button is Button.ALLOW and self._loop.time() - asked.at < TOO_SOON:
            # Clicked before it could be read. Its daemon has taken it away.
            self._in_background(self._ask(asked.approval, asked.notice))
            return
        self._in_background(self._decide(asked.approval, button is Button.ALLOW))

    async def _decide(self, approval: Approval, allow: bool) -> None:
        decision: dict[str, Any] = {"digest": approval.digest, "allow": allow}
        if allow:
            decision |= {"scope": "once", "choice": approval.default}
        await self._post(f"/api/approvals/{quote(approval.id, safe='')}/decision", decision)

    def _begin(self, action: Action) -> None:
        if action.do is Do.QUIT:
            self._quit.set()
        else:
            self._in_background(self._do(action))

    async def _do(self, action: Action) -> None:
        match action.do:
            case Do.OPEN:
                self.show(action.target)
            case Do.ENABLE | Do.DISABLE:
                path = f"/api/components/{quote(action.target, safe='')}/enabled"
                await self._post(path, {"enabled": action.do is Do.ENABLE})
            case Do.PAUSE | Do.GO_ON:
                await self._post("/api/pause", {"paused": action.do is Do.PAUSE})
            case Do.START_AT_LOGIN | Do.DO_NOT_START_AT_LOGIN:
                await self._start_at_login(action.do is Do.START_AT_LOGIN)

    async def _post(self, path: str, body: Any) -> None:
        if self._api is None:
            return
        try:
            await asyncio.to_thread(self._api.post, path, body)
        except ApiError as error:
            await self._tell_problem(str(error))

    async def _start_at_login(self, wanted: bool) -> None:
        try:
            await asyncio.to_thread(self._autostart.set, wanted)
        except WassetteError as error:
            await self._tell_problem(str(error))
        await self._show_login()

    def _login_changed(self) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(lambda: self._in_background(self._show_login()))

    async def _show_login(self) -> None:
        self._at_login = await asyncio.to_thread(self._look_at_login)
        self._shown()

    def _look_at_login(self) -> bool | None:
        try:
            return self._autostart.enabled()
        except AutostartError:
            return None

    # -- the window ------------------------------------------------------------------------------

    async def _show_wanted(self) -> None:
        place, self._wanted = self._wanted, None
        if place is None:
            return
        try:
            await self.window.show(place)
        except WassetteError as error:
            await self._tell_problem(str(error))

    async def _browse(self, link: str, why: str) -> None:
        if why:
            self._say(f"There is no window here ({why}); the browser has it.")
        if has_display() and await asyncio.to_thread(self._link_page, link):
            return
        self._say(
            "There is no display here. Open this address in a browser on this machine; it works "
            f"once, within a minute:\n\n  {link}\n\nFor another one: wassette ui --no-browser"
        )

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("something in the desktop app failed", exc_info=error)


# ---- what the API says ---------------------------------------------------------------------------


def _with_status(state: State, said: dict[str, Any]) -> State:
    clients = [
        f"{visible(str(one.get('name') or '?'), 60)} {visible(str(one.get('version') or ''), 30)}"
        for one in said.get("clients") or ()
    ]
    return replace(
        state,
        paused=said.get("paused") is True,
        running=len(said.get("running_calls") or ()),
        clients=tuple(name.strip() for name in clients),
    )


def _components(api: Api) -> tuple[Component, ...]:
    return tuple(Component.read(one) for one in _items(api, "/api/components", MAX_COMPONENTS))


def _waiting(api: Api) -> tuple[Approval, ...]:
    found = [
        Approval.read(one)
        for one in _items(api, "/api/approvals?state=pending", MAX_COMPONENTS)
        if one.get("can_decide") is not False
    ]
    return tuple(found)


def _items(api: Api, path: str, most: int) -> Iterator[dict[str, Any]]:
    """Those of all pages of a list."""
    given, after = 0, ""
    while given < most:
        page = api.get(path + after)
        for one in page["items"]:
            given += 1
            yield one
        if not page.get("next"):
            return
        after = f"{'&' if '?' in path else '?'}cursor={quote(str(page['next']), safe='')}"
