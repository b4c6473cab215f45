"""The servers that Tallygate meets on the wire, found or started.

Each file is one server: the embedded ones come with our Python packages, the real ones are what a
site runs. All of them are a `ChildServer` (see `child.py`): a blocking `start`, a `stop` that
leaves nothing behind, and for tests `kill`, `pause` and `resume`. `find.py` says which of them a
machine offers; `group.py` starts those of one stack.
"""
