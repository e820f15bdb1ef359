"""Runs one driver in one mode and prints the transcript: `driver.py '{"driver": ..., ...}'`."""
import importlib
import json
import sys

import dbapi_cases
from transcript import say


def main():
    settings = json.loads(sys.argv[1])
    client = importlib.import_module(f"client_{settings['driver']}")
    if settings["must_fail"]:
        refuse(client, settings)
    elif settings["driver"] == "mariadb":
        client.run(settings)
    else:
        dbapi_cases.run(client, settings)
    say("end of transcript")


def refuse(client, settings):
    """A certificate that the driver must not accept."""
    try:
        client.connect(settings).close()
        say("accepted a certificate that it should refuse")
    except Exception as error:
        text = str(error).replace(settings["host"], "HOST")
        say("refused" if "certificate" in text.lower() else "another error", type(error).__name__, text)


main()
