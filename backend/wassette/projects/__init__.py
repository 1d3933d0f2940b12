"""Projects that become components: made from templates, built with pinned tool chains.

project.py   what a project is; reading one
create.py    a new one, from templates/
tools.py     tool chains, installed once, with digests, from tools/
build.py     building one; docs.py puts its doc comments in
watch.py     what has changed since
"""
