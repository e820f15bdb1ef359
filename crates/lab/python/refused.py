"""Connects with one driver and prints how it was refused, as JSON: `refused.py '{"driver": ..., ...}'`."""
import importlib
import json
import sys


def main():
    settings = json.loads(sys.argv[1])
    client = importlib.import_module(f"client_{settings['driver']}")
    try:
        client.connect(settings).close()
        print(json.dumps({"kind": "connected", "code": None, "text": ""}))
    except Exception as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else None
        print(json.dumps({"kind": type(error).__name__, "code": code, "text": str(error)}))


main()
