"""Every error that Wassette raises on purpose.

    WassetteError
    ├── ConfigError            a setting, option or config file is wrong
    │   └── ManifestError      a manifest is; all that is wrong with it, each with its line
    ├── ComponentError
    │   ├── ComponentNotFound  no component has this id
    │   ├── InvalidComponentId the id is not one (`../../x`)
    │   ├── InvalidReference   a reference (`file://…`) cannot be resolved or read
    │   ├── InvalidComponent   the bytes are not a component that can run here
    │   ├── DigestMismatch     the bytes are not those that were asked for
    │   ├── NotSigned          signatures are required, and nobody who is allowed signed it
    │   ├── SourceChanged      a source gives other bytes than before, or of another signer
    │   ├── RegistryError      a registry or web server did not give (or take) it; names both
    │   │   └── NotAuthorized  it wants other credentials; says how to give it some
    │   ├── NotTaken           whoever looked at what came did not want it
    │   ├── ComponentChanged   the bytes on disk are not those that were loaded
    │   └── ComponentDisabled  a person has switched it off
    ├── PolicyError            a policy file cannot be read; names file, line and reason
    │   ├── NotEnforceable     a rule that this version cannot enforce; never widened instead
    │   ├── PolicyConflict     a manifest's policy would replace what a person wrote
    │   └── PolicyChanged      it is no longer the text that a change was made from
    ├── ProvisioningFailed     a component of a manifest cannot be had; names each
    ├── ToolNotFound           no tool has this name
    ├── NeedsPerson            only a person may do this; says how
    ├── HostPaused             a person has paused Wassette: no call starts
    ├── ApprovalError
    │   ├── NotAskable         nobody can be asked for this: no rule says it, or it is too wide
    │   ├── ApprovalNotFound   no approval request has this id
    │   ├── ApprovalOver       decided, expired, withdrawn or void: it cannot be decided (again)
    │   └── DecisionRefused    the decision does not fit what was asked and shown
    ├── StoreError             the component directory cannot be read or written
    │   └── ApprovalsUnavailable  the record of approvals cannot be used; everything is denied
    ├── SecretError            a secret cannot be read or kept; never quotes one
    ├── ClientError            a client's settings cannot be read or changed; they are as they were
    │   └── SettingsChanged    they are no longer those that the change was made for
    ├── ProjectError           a project of a component cannot be made, read or built
    ├── RequestRefused         a component's HTTP request did not get out; has wasi:http's code
    └── CallError              a tool call did not give a result
        ├── InvalidArguments   the arguments do not fit the tool's schema
        ├── FunctionUnavailable  the signature uses a type that cannot cross (a resource, …)
        ├── GuestTrap          the component trapped (unreachable, out of bounds, stack)
        ├── GuestExit          the component called exit()
        ├── ResultTooLarge     the result is over the size limit
        ├── TooManyCalls       too many calls of the component wait already
        ├── TooMuchMemory      the component's calls at once took more than its limit
        ├── CallTimeout        over its wall-clock time limit
        ├── CallCancelled      the caller gave up
        ├── NotConfined        a wall around its process is missing, and all are required (this is
        │                      a ComponentError, too: compiling needs the walls as well)
        └── WorkerDied         the worker process died during the call

The message names the thing, the place and the way out, and is fit to show to a person. What a
component wrote (trap text, names) may be quoted in it, with control characters made visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class WassetteError(Exception):
    """Base of all of them. `str()` is the message for people."""


class ConfigError(WassetteError):
    """A setting is wrong."""


class ManifestError(ConfigError):
    """A manifest is wrong. `problems` has all of it, each as `file:line: reason`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ComponentError(WassetteError):
    """Something about a component."""


class ComponentNotFound(ComponentError):
    """No component has this id."""

    def __init__(self, component_id: str) -> None:
        super().__init__(f"Component '{visible(component_id)}' not found")
        self.component_id = component_id


class InvalidComponentId(ComponentError):
    """Not an id: `[a-z0-9][a-z0-9._-]*`, at most 128 characters."""


class InvalidReference(ComponentError):
    """A component reference cannot be resolved or read."""


class InvalidComponent(ComponentError):
    """The bytes are not a component that can run here."""


class DigestMismatch(ComponentError):
    """The bytes are not those that were asked for."""


class RegistryError(ComponentError):
    """A registry or web server did not give, or take, what was asked of it.

    The message names it, the repository and the cause. `passing`: another try later may help.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class NotAuthorized(RegistryError):
    """A registry wants other credentials than it was given, or any."""


class NotSigned(ComponentError):
    """Signatures are required, and there is none of somebody whose signature counts."""


class SourceChanged(ComponentError):
    """A source does not give what it gave before. `digest`: sha256 (hex) of what it gives now;
    `changes`: what is different, for people."""

    def __init__(self, source: str, digest: str, changes: Iterable[str]) -> None:
        self.source, self.digest, self.changes = source, digest, tuple(changes)
        lines = "".join(f"\n  - {one}" for one in self.changes)
        super().__init__(
            f"{visible(source, 500)} is not what it was, and was not loaded:{lines}\n"
            "Load it with --accept-change if that is as it should be"
        )


class NotTaken(ComponentError):
    """A component was fetched and looked at, and then not wanted. Everything is as it was."""


class ComponentChanged(ComponentError):
    """The bytes on disk are not those that a person loaded."""


class ComponentDisabled(ComponentError):
    """A person has switched a component off."""

    def __init__(self, component_id: str) -> None:
        shown = visible(component_id)
        super().__init__(
            f"Component '{shown}' is disabled, so its tools cannot be called. Only a person can "
            f"enable it: wassette component enable {shown}"
        )
        self.component_id = component_id


class PolicyError(WassetteError):
    """A policy is refused; the message has file, line (if known) and reason."""


class NotEnforceable(PolicyError):
    """A rule that would have to be widened to be applied."""


class PolicyConflict(PolicyError):
    """A policy that a person wrote is in the way of a manifest's."""


class PolicyChanged(PolicyError):
    """A policy is no longer the text that a change was made from."""


class ProvisioningFailed(WassetteError):
    """Components of a manifest cannot be had."""


class ProjectError(WassetteError):
    """A project of a component cannot be made, read or built; has what the tool chain says."""


class ToolNotFound(WassetteError):
    """No tool has this name. `broken`: components that cannot be used, and why; it may be one of
    theirs."""

    def __init__(self, name: str, broken: Iterable[str] = ()) -> None:
        hints = "".join(f"\nA component cannot be used: {one}" for one in broken)
        super().__init__(f"Unknown tool: {visible(name)}{hints}")
        self.name = name


class NeedsPerson(WassetteError):
    """Asked for by an agent, but only a person may do it."""


class HostPaused(WassetteError):
    """A person has paused Wassette."""

    def __init__(self) -> None:
        super().__init__(
            "Wassette is paused, so no tool is called. Only a person can have it go on: "
            "wassette host resume"
        )


class ApprovalError(WassetteError):
    """Something about an approval request."""


class NotAskable(ApprovalError):
    """Nobody can be asked for this; it is denied."""


class ApprovalNotFound(ApprovalError):
    """No approval request has this id."""


class ApprovalOver(ApprovalError):
    """The request cannot be decided any more."""


class DecisionRefused(ApprovalError):
    """A decision that does not fit the request: other bytes, another rule, another scope."""


class StoreError(WassetteError):
    """The component directory cannot be read or written."""


class ApprovalsUnavailable(StoreError):
    """The record of approvals is broken, foreign, or cannot be written."""


class SecretError(WassetteError):
    """A secret cannot be read or kept. No value is ever in the message."""


class ClientError(WassetteError):
    """The settings of an MCP client cannot be read or changed. Nothing was changed."""


class SettingsChanged(ClientError):
    """A client's settings are no longer those that a change was made for."""


class RequestRefused(WassetteError):
    """A component's HTTP request did not get out.

    `code` is a case of wasi:http's `error-code`, which the component gets; `grantable` says whether
    a grant would have made the difference: one for `address`, if that is why.
    """

    def __init__(
        self, code: str, message: str, *, grantable: bool = False, address: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.grantable = grantable
        self.address = address


class CallError(WassetteError):
    """A tool call did not give a result."""


class InvalidArguments(CallError):
    """The arguments do not fit; the message has the path of the wrong one."""


class FunctionUnavailable(CallError):
    """The function's signature uses a type that cannot be called from outside."""


class GuestTrap(CallError):
    """The component trapped."""


class GuestExit(CallError):
    """The component called `exit`."""


class ResultTooLarge(CallError):
    """The result is over the size limit."""


class TooManyCalls(CallError):
    """So many calls of the component wait already that this one was not taken."""


class TooMuchMemory(CallError):
    """The component's calls took more memory together than it may."""


class CallTimeout(CallError):
    """The call ran over its wall-clock time limit."""


class CallCancelled(CallError):
    """The caller gave up."""


class NotConfined(CallError, ComponentError):
    """A wall of the operating system around the worker is missing, and all are required."""


class WorkerDied(CallError):
    """The worker process died during the call."""


def visible(text: str, limit: int = 200) -> str:
    """`text` with everything that could deceive a reader made visible, cut at `limit` characters.

    Control characters, bidirectional overrides (text that reads in another order than it is),
    zero-width and TAG characters and variation selectors (text that cannot be seen), lone
    surrogates and line breaks become `\\u{…}`. For names and short quotations of what a component
    or an agent wrote.
    """
    shown = "".join(f"\\u{{{ord(c):x}}}" if _deceives(c) else c for c in text[:limit])
    return shown + "…" if len(text) > limit else shown


def _deceives(char: str) -> bool:
    code = ord(char)
    if code < 0x80:
        return code < 0x20 or code == 0x7F
    import unicodedata

    # Cc control, Cf format (bidi, zero-width, TAG), Cs surrogates, Co private use, Cn unassigned
    # (some of which are ignored when drawn), Zl/Zp line and paragraph separators.
    return (
        unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        or char in _BLANKS
        # Variation selectors: a byte each, drawn as nothing, behind any letter.
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
    )


# Letters and symbols that are drawn as nothing.
_BLANKS = frozenset(
    "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f\U0001d159"
)
