"""A process that asks for approval as a host does: `python approval_host.py DIRECTORY COUNT`.

Says `asked` once everything is on record, and a line for each answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.approvals import asked, file, shown
from wassette.approvals.broker import Approvals
from wassette.approvals.store import Store


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def main(directory: str, count: int) -> None:
    approvals = Approvals(Store(Path(directory)))
    await approvals.start()

    async def ask(number: int) -> None:
        request = asked(file(f"/srv/app/{number}"), call=str(number), session=str(number))
        decision = await approvals.ask(request)
        say(number=number, allow=decision.allow, scope=decision.scope, reason=decision.reason)

    tasks = [asyncio.create_task(ask(number)) for number in range(count)]
    await shown(approvals, count)
    say(asked=count)
    await asyncio.gather(*tasks)
    await approvals.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
