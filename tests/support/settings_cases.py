"""Settings files of clients, as they are found in the wild: each has to survive us to the byte."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """`refused`: a regular expression of why nothing is changed; None where it works."""

    name: str
    data: bytes | None
    refused: str | None = None


_DEEP = 20_000
_BIG = 1_000_000

_JSON_BOTH = [
    Case("missing", None),
    Case("empty", b""),
    Case("blank", b" \n\n\t\n"),
    Case("empty-object", b"{}"),
    Case("empty-object-lines", b"{\n}\n"),
    Case("empty-servers", b'{\n  "mcpServers": {}\n}\n'),
    Case("minified", b'{"mcpServers":{"a":{"command":"x","args":[]}},"z":[1,2]}'),
    Case("minified-without-servers", b'{"theme":"dark"}'),
    Case("one-line-with-spaces", b'{"mcpServers": {"a": {"command": "x"}}}\n'),
    Case(
        "other-servers", b'{\n  "mcpServers": {\n    "a": {\n      "command": "x"\n    }\n  }\n}\n'
    ),
    Case("four-spaces", b'{\n    "mcpServers": {\n        "a": {}\n    },\n    "b": true\n}'),
    Case("tabs", b'{\n\t"mcpServers": {\n\t\t"a": {"url": "https://x"}\n\t}\n}\n'),
    Case("crlf", b'{\r\n  "mcpServers": {\r\n    "a": {}\r\n  }\r\n}\r\n'),
    Case("bom", b'\xef\xbb\xbf{\n  "mcpServers": {}\n}\n'),
    Case("bom-only", b"\xef\xbb\xbf"),
    Case("no-newline-at-end", b'{\n  "a": 1\n}'),
    Case("many-newlines-at-end", b'{\n  "a": 1\n}\n\n\n'),
    Case("unicode", '{\n  "ключ": "値 🦀",\n  "mcpServers": {"é": {}}\n}\n'.encode()),
    Case("escapes", b'{\n  "a\\u0041\\n\\"": "\\ud83e\\udd80 \\/",\n  "mcpServers": {}\n}\n'),
    Case("lone-surrogate-escape", b'{"a": "\\ud800"}'),
    Case("numbers", b'{"a": [1e999, -0.0, 1E+2, 12345678901234567890123], "mcpServers": {}}'),
    Case("odd-layout", b'{"a": {"b": 1},\n "mcpServers": {"x": 1,\n  "y": 2}}'),
    Case("closing-on-the-line", b'{\n  "mcpServers": {\n    "a": {} } }'),
    Case("leading-newlines", b'\n\n{\n  "mcpServers": {\n  }\n}\n'),
    Case("duplicate-elsewhere", b'{"a": 1, "a": 2, "mcpServers": {}}'),
    Case("line-separators-in-strings", '{"a": "\u2028\u2029\x85", "mcpServers": {}}\n'.encode()),
    Case(
        "a-megabyte",
        b'{"history": "' + b"x" * _BIG + b'", "mcpServers": {}}',
    ),
    Case(
        "many-lines",
        b'{\n  "a": [\n' + b"    1,\n" * 5_000 + b'    1\n  ],\n  "mcpServers": {}\n}\n',
    ),
    Case("duplicate-servers", b'{"mcpServers": {},\n"mcpServers": {}}', "lines 1 and 2.*twice"),
    Case("servers-are-a-list", b'{\n"mcpServers": []}', "an object was expected"),
    Case("servers-are-null", b'{\n"mcpServers": null}', "line 2.*an object was expected"),
    Case("servers-are-a-text", b'{"mcpServers": "none"}', "an object was expected"),
    Case("root-is-a-list", b"[]", "an object was expected"),
    Case("root-is-a-number", b"12", "an object was expected"),
    Case("unclosed", b'{\n  "mcpServers": {\n', "line 3.*left as it is"),
    Case("missing-comma", b'{\n  "a": 1\n  "b": 2\n}', "line 3.*comma"),
    Case("unquoted-key", b"{\n\n a: 1}", "line 3.*double quotes"),
    Case("single-quotes", b"{'a': 1}", "line 1.*double quotes"),
    Case("two-values", b"{}\n{}", "line 2.*after the end"),
    Case("control-character", b'{"a": "\x01"}', "line 1"),
    Case("broken-escape", b'{"a": "\\x"}', "line 1"),
    Case("not-utf-8", b'{\n"a": "\xff"}', "line 2.*not UTF-8"),
    Case("utf-16", '{"a": 1}'.encode("utf-16"), "not UTF-8"),
    Case("too-deep", b"[" * _DEEP + b"]" * _DEEP, "in each other"),
    Case("unclosed-string", b'{"a": "' + b"\\\\a" * 50_000, "double quotes|line 1"),
    Case("words", b"nothing", "line 1"),
]

_COMMENTS = [
    Case(
        "comments",
        b'// a\n{\n // b\n  "mcpServers": {// c\n    "a": {}// d\n  }/* e */\n}// f',
    ),
    Case("trailing-commas", b'{\n  "mcpServers": {\n    "a": {"x": [1,],},\n  },\n}\n'),
    Case("trailing-comma-one-line", b'{"mcpServers": {"a": 1,},}'),
    Case("comment-after-last", b'{\n  "mcpServers": {\n    "a": {} /* x */ // y\n  }\n}'),
    Case("comment-in-empty", b'{\n  "mcpServers": {\n    // "old": {}\n  }\n}\n'),
    Case("comment-before-comma", b'{"mcpServers": {"a": 1 /* x */ , /* y */}}'),
    Case("comment-only-file", b"// nothing yet\n"),
    Case("comment-with-braces", b'{\n  /* } { " */\n  "mcpServers": {"a": 1 /* , */}\n}'),
    Case("block-comment-over-lines", b'{"mcpServers": {"a": 1 /*\n*/\n}}'),
    Case("crlf-comments", b'{\r\n  "mcpServers": {\r\n    "a": {}, // x\r\n  }, // y\r\n}\r\n'),
]

JSONC = [
    *_JSON_BOTH,
    *_COMMENTS,
    Case("unclosed-comment", b"{} /* x", "line 1.*comment"),
]
JSON = [
    *_JSON_BOTH,
    # The client itself could not read these, so an entry would be of no use.
    *(Case(one.name, one.data, "comment|comma|object was expected|line 1") for one in _COMMENTS),
]

TOML = [
    Case("missing", None),
    Case("empty", b""),
    Case("comment-only", b"# mine\n"),
    Case("keys", b'model = "o"\napproval = "never"\n'),
    Case("no-newline-at-end", b'model = "o"'),
    Case("blank-lines-at-end", b'model = "o"\n\n\n'),
    Case("other-servers", b'[mcp_servers.a]\ncommand = "x" # why\n\n# about b\n[b]\nc = 1\n'),
    Case("nested", b'[mcp_servers.a]\ncommand = "x"\n[mcp_servers.a.env]\nK = "v"\n'),
    Case("parent", b"[mcp_servers]\n\n[other]\n"),
    Case("dotted", b'mcp_servers.a.command = "x"\n[z]\n'),
    Case("quoted-names", b'["mcp_servers"."a.b]"]\ncommand = "x"\n'),
    Case(
        "strings", b'a = """\n[mcp_servers.wassette]\n"""\nb = \'\'\'\n# "\n\'\'\'\nc = "#" # d\n'
    ),
    Case("strings-with-quotes", b'a = """x"""""\nb = "\\"]"\nc = [ "]", # ]\n "[" ]\n'),
    Case("arrays-of-tables", b"[[a]]\nb = 1\n[[a]]\nb = 2\n"),
    Case("crlf", b'[mcp_servers.a]\r\ncommand = "x"\r\n'),
    Case("bom", b'\xef\xbb\xbfmodel = "o"\n'),
    Case("tabs", b"\t[a]\n\tb = 1\n"),
    Case("unicode", 'a = "値 🦀"\n["ключ"]\n'.encode()),
    Case("dates", b"a = 1979-05-27T07:32:00Z\nb = 0x10\nc = inf\n"),
    Case("many-lines", b"[a]\n" + b"".join(b'k%d = "v"\n' % i for i in range(3000))),
    Case("inline", b'mcp_servers = {a = {command = "x"}}\n', "cannot be changed|without changing"),
    Case("servers-are-a-text", b'mcp_servers = "no"\n', "an object was expected"),
    Case("syntax-error", b"a = 1\nb = \n", "line 2.*left as it is"),
    Case("duplicate-keys", b"a = 1\na = 2\n", "line 2"),
    Case("duplicate-tables", b"[a]\n[a]\n", "line 2"),
    Case("not-utf-8", b'a = 1\nb = "\xff"', "line 2.*not UTF-8"),
]

YAML_MAP = [
    Case("missing", None),
    Case("empty", b""),
    Case("comment-only", b"# mine\n"),
    Case("keys", b"GOOSE_MODEL: gpt\nGOOSE_PROVIDER: x\n"),
    Case("no-newline-at-end", b"a: 1"),
    Case("other-extensions", b"extensions:\n  # why\n  developer:\n    on: true # yes\nb: 1\n"),
    Case("four-spaces", b"extensions:\n    a:\n        b: 1\n"),
    Case("no-value", b"extensions:\n# x\nb: 1\n"),
    Case("null-word", b"extensions: null # x\nb: 1\n"),
    Case("empty-braces", b"extensions: {}\n"),
    Case("braces", b"extensions: {a: {enabled: true}}\n"),
    Case("braces-root", b'{"extensions": {"a": {"enabled": true}}}'),
    Case("block-text", b"a: |+\n  x\n\n\nextensions:\n  a:\n    d: >-\n      folded\n      text\n"),
    Case("block-text-last", b"a: |\n  x\n   y\n"),
    Case("quoted", b'"extensions":\n  \'a b\':\n    c: "d\\n"\n'),
    Case("anchors", b"x: &x\n  enabled: true\nextensions:\n  a: *x\n"),
    Case("anchored", b"extensions: &e\n  a:\n    b: 1\nc: *e\n", "without changing more"),
    Case("alias", b"x: &x\n  a: 1\nextensions: *x\n", "by itself|without changing|shares"),
    Case("crlf", b"extensions:\r\n  a:\r\n    b: 1\r\nc: 2\r\n"),
    Case("bom", b"\xef\xbb\xbfextensions:\n  a: 1\n"),
    Case("start-marker", b"---\nextensions:\n  a: 1\n"),
    Case("start-marker-without", b"---\nb: 1\n"),
    Case("end-marker", b"b: 1\n...\n", "end"),
    Case("unicode", "ключ: 値 🦀\nextensions:\n  é: 1\n".encode()),
    Case("list-in-extension", b"extensions:\n  a:\n    args:\n    - x\n    - y\nb:\n- 1\n"),
    Case("extensions-are-a-list", b"extensions:\n- a\n", "an object was expected"),
    Case("duplicate-keys", b"a: 1\na: 2\n", "line 2"),
    Case("two-documents", b"a: 1\n---\nb: 1\n", "line"),
    Case("tabs", b"extensions:\n\ta: 1\n", "line 2.*left as it is"),
    Case("syntax-error", b"a: 1\nb: [1,\n", "line"),
    Case("root-is-a-list", b"- a\n", "expected"),
    Case("not-utf-8", b"a: \xff\n", "line 1.*not UTF-8"),
]

YAML_LIST = [
    Case("missing", None),
    Case("empty", b""),
    Case("keys", b"name: mine\nversion: 1.0.0\nschema: v1\n"),
    Case("other-servers", b"name: x\nmcpServers:\n  # why\n  - name: a\n    k: x\nmodels: []\n"),
    Case("flush-left", b"mcpServers:\n- name: a\n  args:\n  - x\nmodels: []\n"),
    Case("empty-list", b"mcpServers: []\n"),
    Case("brackets", b"mcpServers: [{name: a, command: x}]\n"),
    Case("no-value", b"mcpServers:\n"),
    Case("uses", b"mcpServers:\n  - uses: docker/x\n  - name: b\n    command: y\n"),
    Case("crlf", b"mcpServers:\r\n  - name: a\r\n    command: x\r\n"),
    Case("dash-alone", b"mcpServers:\n  -\n    name: a\n    command: x\n"),
    Case("servers-are-a-mapping", b"mcpServers:\n  a:\n    command: x\n", "a list was expected"),
]

_TRAILING = {"trailing-commas", "trailing-comma-one-line", "comment-before-comma", "crlf-comments"}
JSON_WITH_COMMENTS = [
    Case(one.name, one.data, "comma after the last" if one.name in _TRAILING else None)
    for one in _COMMENTS
]

BY_CLIENT = {
    "gemini-cli": JSON_WITH_COMMENTS,
    "cursor": JSONC,
    "claude-desktop": JSON,
    "codex": TOML,
    "goose": YAML_MAP,
    "continue": YAML_LIST,
}
