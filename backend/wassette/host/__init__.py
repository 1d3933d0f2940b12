"""The host: owns the component store, the policies and the workers, and makes every decision.

The command line, the MCP server and the web API all talk to one `Host`; none of them contains logic
that another repeats. `Host` (`facade`) hands on what it is asked to do, to one part each:

    components    examining    bytes → what is known of a component
                  inventory    which there are, and their tools
                  arriving     before one is loaded: fetched, compared, shown to a person
                  loading      loading, unloading
                  switches     pausing, switching one off
    permissions   permissions  what a component may use now, and why
                  granting     giving and taking
                  secrets      values that are given as variables
                  protected    what nobody can be granted
                  surroundings what approvals need to know
    calls         calling      a call, from its tool's name to its result
                  running      what is known of it meanwhile
                  workers      where it runs: code and processes, ready ahead of need
                  routing      where its requests go
                  questions    what a person is asked on its behalf
                  using        what it used of what was granted
    all of them   changes      where they say that they changed something
                  watching     who is told of it, and of what other processes changed
                  background   what goes on while nobody waits
"""

from .facade import Host

__all__ = ["Host"]
