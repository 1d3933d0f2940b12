"""What the window's API takes and answers. `frontend/openapi.json` is made from this.

Times are Unix seconds, sizes are bytes, digests are sha256 in hex. Texts that are not said to be
ours are what a component, an agent or a registry wrote: the page makes them visible before it shows
them. The texts of an approval are ready to be shown as they are.
"""

# Not `annotations` from the future: these types are needed at run time.

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wassette.activity_options import LEAST_MEGABYTES, MOST_DAYS, MOST_MEGABYTES

ID = r"^[a-z0-9][a-z0-9._-]{0,127}$"


class Model(BaseModel):
    """An answer. Every field is there, null if it is not known."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_serialization_defaults_required=True,
        use_attribute_docstrings=True,
    )


class Body(BaseModel):
    """What a request says. Nothing else may be in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


# ---- errors --------------------------------------------------------------------------------------


class Where(Model):
    """A place in a text that was sent; both from 1."""

    line: int
    column: int | None = None


class Problem(Model):
    """RFC 9457, `application/problem+json`."""

    type: str
    """Says which error it is: `urn:wassette:problem:policy`."""
    title: str
    status: int
    detail: str
    way_out: str | None = None
    """What to do about it, where that is not in `detail`."""
    where: Where | None = None


# ---- session and status --------------------------------------------------------------------------


class Session(Model):
    """Who the page is, for its requests."""

    csrf: str
    """For the header `X-Wassette-CSRF` of everything that is not a GET."""
    version: str
    component_dir: str
    home: str
    paused: bool
    platform: str
    """`linux`, `darwin` or `win32`."""


class ConnectedClient(Model):
    """An MCP client that is connected now. Name and version are its own word."""

    name: str
    version: str
    transport: str
    session: str
    since: float
    last_call: float | None
    client_id: str | None
    """Which of the known clients (`/api/clients`) says that it has this name."""


class RunningCall(Model):
    id: str
    component_id: str
    tool: str
    client: str
    since: float
    waits: bool
    """For a person."""


class Status(Model):
    components: int
    tools: int
    clients: list[ConnectedClient]
    running_calls: list[RunningCall]
    pending: int
    """Approval requests that a person can decide now."""
    paused: bool
    started: float
    uptime: float


class Pause(Body):
    paused: bool


class Paused(Model):
    paused: bool


# ---- components ----------------------------------------------------------------------------------

ComponentStateName = Literal["ready", "unseen", "disabled", "broken", "unexamined"]
"""`unseen`: it has changed, and its permissions wait until a person has seen how."""

CapabilityKind = Literal["files", "network", "environment", "sockets"]


class Capability(Model):
    """Whether a component could do something at all, by what it imports."""

    kind: CapabilityKind
    possible: bool
    text: str
    """Ours: `cannot reach the network: it imports none`."""
    imports: list[str]
    """Those that make it possible."""


PermissionKind = Literal["storage", "network", "environment", "memory", "cpu", "timeout"]


class Permission(Model):
    """A rule of a policy."""

    kind: PermissionKind
    action: Literal["allow", "deny", "limit"]
    text: str
    """Ours, with what was written made visible: `may read files in ~/notes and below`."""
    rule: str
    """As written: the URI, host, range, variable or amount; what takes it back names this."""
    access: list[str]
    """`read`, `write`; methods of a request."""
    place: str
    """`storage.allow[0]`."""
    line: int | None
    secret_for: list[str]
    """Hosts that the value may be sent to, if the component has a placeholder in its place."""
    unused_days: int | None = None
    """For how many days nothing used it, if that is known and at least 30."""


class ToolName(Model):
    name: str
    """That it is called by."""
    own_name: str
    """That its component gave it."""
    description: str


class Tool(ToolName):
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None


class UnavailableFunction(Model):
    name: str
    why: str


class ComponentSummary(Model):
    id: str
    state: ComponentStateName
    enabled: bool
    error: str | None
    """Why it cannot be used."""
    description: str
    source: str | None
    digest: str | None
    size: int | None
    loaded: float | None
    last_used: float | None
    """When one of its tools was called last."""
    running: int
    """Calls that run now."""
    tools: list[ToolName]
    capabilities: list[Capability]
    permissions: list[Permission]
    policy_error: str | None
    unseen: list[str]
    """What is different since a person last saw it, in plain words."""


class Components(Model):
    items: list[ComponentSummary]
    next: str | None


class ComponentDetail(ComponentSummary):
    tools: list[Tool]  # type: ignore[assignment]
    unavailable: list[UnavailableFunction]
    """What it exports and nobody can call."""
    imports: list[str]
    producers: dict[str, Any]
    wit: str | None


class Enabled(Body):
    enabled: bool


# ---- loading -------------------------------------------------------------------------------------

LoadStage = Literal[
    "download", "verify", "examine", "compile", "review", "done", "failed", "cancelled"
]


class LoadRequest(Body):
    reference: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    digest: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None
    """That its bytes must have; others are refused."""


class LoadReview(Model):
    """What a person should know before the component is taken in."""

    id: str
    digest: str
    size: int
    description: str
    tools: list[ToolName]
    capabilities: list[Capability]
    imports: list[str]
    asks_for: list[Permission]
    """What the policy that came with it asks for. None of it is given without `trust_policy`."""
    policy: str | None
    """That policy, as YAML."""
    signed_by: str | None
    """Who signed it, as far as that was verified."""
    trusted: bool
    """Whether that is somebody whom the settings name."""
    source_changes: list[str]
    """What is otherwise than what this source gave before: other bytes, another signer."""
    remarks: list[str]
    replaces: str | None
    """The digest of the component of this id that is there now."""
    keeps_permissions: bool
    """Whether it would have the permissions of the one that it replaces."""
    changes: list[str]
    """What is different from that one, in plain words."""


class Load(Model):
    id: str
    reference: str
    digest: str | None
    """That its bytes must have, if whoever began it said so."""
    stage: LoadStage
    done: int | None
    """Bytes, or parts of `total`."""
    total: int | None
    error: Problem | None
    component_id: str | None
    review: LoadReview | None
    created: float


class Loads(Model):
    items: list[Load]
    next: str | None


class LoadStarted(Model):
    id: str


class LoadConfirm(Body):
    trust_policy: bool = False
    """Give it what the policy that came with it asks for."""


# ---- calling -------------------------------------------------------------------------------------


class CallRequest(Body):
    arguments: dict[str, Any] = Field(default_factory=dict)
    call_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")] | None = None
    """Chosen by the page, so that it can cancel."""


class CallContent(Model):
    type: Literal["text"]
    text: str


class CallResult(Model):
    is_error: bool
    content: list[CallContent]
    structured: Any | None
    """`{"result": …}` where the tool has an output schema."""
    seconds: float
    output: str
    """What the component printed."""
    refused: list[str]
    """What it wanted and did not get, and what grants it."""
    call: str
    """Its id in the activity record."""


# ---- policy --------------------------------------------------------------------------------------


class PolicyRoot(Model):
    """A named root (`fs://workspace/…`), and the directory that it is bound to."""

    name: str
    directory: str | None


class Policy(Model):
    status: Literal["absent", "loaded", "broken"]
    yaml: str
    version: str
    """Names this text; has to be sent when it is changed."""
    path: str
    error: str | None
    where: Where | None
    notes: list[str]
    """Rules that are not applied, and why."""
    permissions: list[Permission]
    roots: list[PolicyRoot]


class PolicyChange(Body):
    yaml: Annotated[str, StringConstraints(max_length=1024 * 1024)]
    version: Annotated[str, StringConstraints(max_length=64)]


class StorageGrant(Body):
    kind: Literal["storage"]
    uri: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    access: list[Literal["read", "write"]] = Field(default=["read"], min_length=1, max_length=2)


class NetworkGrant(Body):
    kind: Literal["network"]
    host: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    """`api.example.com`, `*.example.com:8443`, `http://localhost:3000/v1/`, `10.0.0.0/8`."""
    methods: list[Annotated[str, StringConstraints(pattern="^[A-Za-z]{1,20}$")]] = Field(
        default_factory=list, max_length=20
    )
    """None means all of them."""


class EnvironmentGrant(Body):
    kind: Literal["environment"]
    key: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    hosts: list[Annotated[str, StringConstraints(min_length=1, max_length=2048)]] = Field(
        default_factory=list, max_length=20
    )
    """If there are any: it is sent to these hosts only, and the component does not see it."""


class MemoryGrant(Body):
    kind: Literal["memory"]
    limit: Annotated[str, StringConstraints(min_length=1, max_length=40)]


Grant = Annotated[
    StorageGrant | NetworkGrant | EnvironmentGrant | MemoryGrant, Field(discriminator="kind")
]


class Revocation(Body):
    kind: Literal["storage", "network", "environment"]
    rule: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    """As `Permission.rule`."""


class ExplainRequest(Body):
    kind: PermissionKind
    target: Annotated[str, StringConstraints(max_length=4096)]
    access: Literal["read", "write"] = "read"
    method: Annotated[str, StringConstraints(pattern="^[A-Za-z]{1,20}$")] = "GET"


class Explanation(Model):
    allowed: bool
    reason: str
    rule: str | None
    line: int | None


class RootBinding(Body):
    directory: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None
    """Null: a private directory of the component."""


# ---- secrets -------------------------------------------------------------------------------------


class Secret(Model):
    """Never its value."""

    key: str
    place: str
    """Where it is kept: `keyring` or `file`."""
    permitted: bool
    """Whether the policy lets the component have it."""


class Secrets(Model):
    items: list[Secret]
    next: str | None


class SecretValue(Body):
    key: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    value: Annotated[str, StringConstraints(max_length=64 * 1024)]


# ---- approvals -----------------------------------------------------------------------------------

ApprovalState = Literal[
    "pending", "asked", "claimed", "allowed", "denied", "expired", "withdrawn", "void"
]
ScopeName = Literal["once", "session", "hour", "always"]


class ApprovalChoice(Model):
    text: str
    rule: str | None
    """As it would be in a policy; null where there is only yes and no."""
    warning: str | None


class ApprovalTarget(Model):
    """What it is about, for the sheet. All texts are ready to be shown."""

    verb: str
    """`connect to`, `read`, `write`, `have the variable`, `be loaded`."""
    target: str
    """The exact target, alone: `api.openweathermap.org:443`, `/home/me/notes/a.txt`."""
    note: str | None
    """`HTTPS`, the address that a name leads to, the kind of thing that is at a path."""
    request: str | None
    """`GET /data/2.5/weather?q=Paris`."""
    as_ascii: str | None
    """The target with everything that is not ASCII as code, if there is such."""


class ApprovalDecision(Model):
    allow: bool
    scope: ScopeName | None
    rule: str | None
    by: str | None
    """`web`, `cli`, `terminal`, `elicitation` or `desktop`; null if nobody decided."""
    at: float | None


class Approval(Model):
    id: str
    digest: str
    """What is decided names it: it is of all that is shown."""
    state: ApprovalState
    kind: str
    """`network`, `storage`, `environment`, `load`, `unload`, `reset`, `grant-storage`, …"""
    question: str
    text: str
    """All of it, a line for each detail."""
    subject: str
    """Who wants it, for the sentence: the component's id, or who asks."""
    target: ApprovalTarget
    component_id: str | None
    component_digest: str | None
    client: str
    client_version: str
    transport: str
    session: str
    tool: str
    arguments: str
    call: str
    choices: list[ApprovalChoice]
    default: int
    """The choice to select first."""
    scopes: list[ScopeName]
    """Narrowest first; the first is the one to select."""
    created: float
    expires: float
    can_decide: bool
    can_revoke: bool
    decision: ApprovalDecision | None
    in_force_until: float | None
    """For what was allowed for an hour."""
    reason: str
    """Why it ended, if nobody decided."""


class Approvals(Model):
    items: list[Approval]
    next: str | None


class DecisionRequest(Body):
    digest: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    allow: bool
    scope: ScopeName | None = None
    """Null: the first of the scopes."""
    choice: Annotated[int, Field(ge=0, le=1000)] | None = None
    rule: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    """A rule in place of a choice, as in a policy."""


class Decided(Model):
    text: str
    """What happened, in a line."""
    approval: Approval


class Revoked(Model):
    revoked: bool
    text: str


class DenyAll(Body):
    component_id: Annotated[str, StringConstraints(pattern=ID)]


class DeniedAll(Model):
    denied: int


# ---- activity ------------------------------------------------------------------------------------

ActivityKind = Literal["call", "access", "decision", "change"]
ActivityOutcome = Literal["ok", "error", "allowed", "denied", "cancelled"]


class ActivityEntry(Model):
    number: int
    at: float
    kind: ActivityKind
    outcome: ActivityOutcome
    what: str
    component: str | None
    digest: str | None
    tool: str | None
    client: str | None
    session: str | None
    call: str | None
    reason: str | None
    seconds: float | None
    detail: dict[str, Any]
    """Of calls `arguments`, `result_size`, `memory`, `output`; of requests `address`, `status`,
    `sent`, `received`, `rule`; of decisions `scope`, `rule`, `by`, `request`."""


class Activity(Model):
    items: list[ActivityEntry]
    next: str | None
    """For `before` (or, if `after` was asked for, `after`) of the next page."""


class ActivityDetail(Model):
    entry: ActivityEntry
    related: list[ActivityEntry]
    """The others of the same call, oldest first."""


class ActivityBucket(Model):
    start: float
    calls: int
    denied: int
    errors: int
    p50: float | None
    p95: float | None


class ActivityChart(Model):
    since: float
    until: float
    items: list[ActivityBucket]


# ---- clients -------------------------------------------------------------------------------------


class ClientState(Model):
    id: str
    name: str
    installed: bool
    state: str
    """`not registered`, `registered`, `broken`, `outdated`, `another wassette`, `not wassette` or
    `unreadable`."""
    disabled: bool
    file: str
    command: list[str] | None
    problem: str | None
    connected: list[str]
    """Sessions of those that are connected now and say that they are this client."""
    last_connection: float | None
    restart: str | None
    """What a person has to do until it sees a change."""
    install_link: str | None
    can_verify: bool
    can_undo: bool
    source: str


class Clients(Model):
    items: list[ClientState]
    others: list[ConnectedClient]
    """Connected, and none of the known clients."""
    next: str | None


ClientAction = Literal["add", "remove", "undo"]


class PlanRequest(Body):
    action: ClientAction
    replace: bool = False
    """Also in place of an entry that runs something else."""


class ClientPlan(Model):
    action: Literal["add", "update", "replace", "remove", "undo", "none"]
    changes: bool
    diff: str
    files: list[str]
    notes: list[str]
    token: str
    """Names this change; has to be sent to make it."""


class ApplyRequest(Body):
    action: ClientAction
    token: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    replace: bool = False


class ClientChanged(Model):
    notes: list[str]
    client: ClientState


class ClientVerified(Model):
    asked: bool
    """Whether it has a command on this machine that could be asked."""
    listed: bool | None
    healthy: bool | None
    output: str


# ---- settings ------------------------------------------------------------------------------------

ApprovalsSetting = Literal["ask", "deny", "allow-agent"]


class SettingsValues(Model):
    approvals: ApprovalsSetting
    approval_timeout: float
    approval_wait: float
    idle_timeout: float
    meta_tools: bool
    walls: Literal["best-effort", "require"]
    secrets: Literal["auto", "keyring", "file"]
    activity_days: float
    activity_megabytes: float


class Settings(Model):
    file: str
    """Where they are kept."""
    values: SettingsValues
    """As the file, the variables and the defaults come to now."""
    from_environment: list[str]
    """Those that a variable sets, so that the file makes no difference."""
    later: list[str]
    """Those that are others than this host was started with, and hold from its next start on."""
    directories: dict[str, str]
    autostart: bool | None
    """Whether the desktop app starts at login. Null: the host is not in it, so it is set there."""


class AutostartChange(Body):
    enabled: bool


class HttpServed(Model):
    """A server for HTTP that runs in this host."""

    url: str
    tokens: int
    """How many it takes; 0: whoever can connect comes in."""
    where: str | None
    later: bool
    """Others are set by now, and count from its next start on."""


class Tokens(Model):
    """What MCP clients over HTTP have to send. No value of a token is ever answered."""

    count: int
    where: str | None
    """What names them: an option, a variable or a key of config.toml. Null if there are none."""
    file: str | None
    """The file that they are in, if the settings name one."""
    problem: str | None
    """Why a server for HTTP would not start with them."""
    can_make: bool
    """Whether one can be made here: there is none yet, or it was made here."""
    makes: str
    """The file that it would be in."""
    server: HttpServed | None


class SettingsChange(Body):
    approvals: ApprovalsSetting | None = None
    approval_timeout: Annotated[float, Field(gt=0, le=86400)] | None = None
    approval_wait: Annotated[float, Field(gt=0, le=86400)] | None = None
    idle_timeout: Annotated[float, Field(ge=0, le=31536000)] | None = None
    meta_tools: bool | None = None
    walls: Literal["best-effort", "require"] | None = None
    secrets: Literal["auto", "keyring", "file"] | None = None
    activity_days: Annotated[float, Field(gt=0, le=MOST_DAYS)] | None = None
    activity_megabytes: Annotated[float, Field(ge=LEAST_MEGABYTES, le=MOST_MEGABYTES)] | None = None


class Licence(Model):
    name: str
    version: str
    licence: str


class Wall(Model):
    name: str
    stands: bool
    does: str
    by: str
    why: str


class About(Model):
    versions: dict[str, str]
    walls: list[Wall]
    licences: list[Licence]
    findings: list[str]
    """What `wassette doctor` has to say of the entries in clients."""


# ---- catalog and files ---------------------------------------------------------------------------


class CatalogEntry(Model):
    name: str
    reference: str
    description: str
    source: str
    """`starter`, or where the entry comes from."""
    component_id: str
    digest: str | None
    """Of the bytes that the catalog means, if it says so: to be asked for when it is loaded."""
    loaded: bool


class Catalog(Model):
    items: list[CatalogEntry]
    next: str | None
    notes: list[str]
    """Catalogs that could not be read, why, and since when what is shown of them is kept."""


class FileEntry(Model):
    name: str
    path: str
    kind: Literal["directory", "file", "other"]
    size: int | None
    modified: float | None
    hidden: bool


class Files(Model):
    path: str
    parent: str | None
    items: list[FileEntry]
    next: str | None


# ---- events --------------------------------------------------------------------------------------


class Hello(Model):
    type: Literal["hello"]
    version: str
    resumed: bool
    """Whether what happened meanwhile follows. Otherwise, fetch everything anew."""


class StatusEvent(Model):
    type: Literal["status"]
    status: Status


class ComponentsEvent(Model):
    type: Literal["components"]
    ids: list[str]
    """Those of which something changed: bytes, state, tools or policy."""


class ApprovalEvent(Model):
    type: Literal["approval"]
    id: str | None
    """Null: fetch all of them."""
    state: ApprovalState | None


class ActivityEvent(Model):
    type: Literal["activity"]
    entry: ActivityEntry


class LoadEvent(Model):
    type: Literal["load"]
    load: Load


class ClientsEvent(Model):
    type: Literal["clients"]


Event = Annotated[
    Hello
    | StatusEvent
    | ComponentsEvent
    | ApprovalEvent
    | ActivityEvent
    | LoadEvent
    | ClientsEvent,
    Field(discriminator="type"),
]
"""The data of a server-sent event; its `event` is the same as `type`."""
