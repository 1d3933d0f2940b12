"""The `wassette` command. Imports next to nothing by itself, so that `--version` is instant and an
editor that runs `wassette serve --stdio` sees its tools at once."""

import sys


def main() -> int:
    """Run the command line; the exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from wassette._version import __version__

        print(f"wassette {__version__}")
        return 0
    if arguments[:1] == ["_internal"]:
        return _internal(arguments[1:])
    if "serve" in arguments or "run" in arguments:
        from wassette.hosting import bridge

        code = bridge.main(arguments)
        if code is not None:
            return code
    try:
        from wassette import cli

        return cli.main(arguments)
    except KeyboardInterrupt:  # while importing; afterwards `cli.main` takes care of it
        return 130


# What a packaged app, which has no `python -m`, starts itself again for. Nothing else.
_OURS = (
    "wassette.workers.forkserver",
    "wassette.workers.worker",
    "wassette.hosting.process",
    "wassette.signatures.worker",
    "wassette_desktop.webview_process",
)


def _internal(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in _OURS:
        print("Error: _internal is for Wassette itself", file=sys.stderr)
        return 2
    import runpy

    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
