"""The canonical text of what a driver saw: one line for each thing, the same for the same bytes."""
import hashlib
import sys

# Longer values are told by their length and digest.
SHOWN = 200


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def value(seen):
    """A value as the driver gave it, with its Python type, so that a changed type is a difference too."""
    kind = type(seen).__name__
    if isinstance(seen, str) and len(seen) > SHOWN:
        return f"{kind}({digest(seen.encode())})"
    if isinstance(seen, (bytes, bytearray)) and len(seen) > SHOWN:
        return f"{kind}({digest(seen)})"
    return f"{kind}({seen!r})"


def digest(data):
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"


def rows(seen):
    """Few rows are told one by one, many by their number and digest."""
    lines = ["  row " + ", ".join(value(column) for column in row) for row in seen]
    if len(lines) > 100:
        lines = [f"  {len(lines)} rows, {digest(chr(10).join(lines).encode())}"]
    for line in lines:
        say(line)
