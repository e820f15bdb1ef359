"""A worker's command that writes to its own node, each time under the guard of its fencing token.

Says of each transaction that it is half done, and what became of it. When the guard refuses it, it writes a row without the
guard, as a program would that has none, and ends.
"""
import os
import sys
import time

import pymysql

host, port, said = sys.argv[1:]
name, token = os.environ["CAPITANA_WORKER_NAME"], int(os.environ["CAPITANA_FENCING_TOKEN"])
db = pymysql.connect(host=host, port=int(port), user="app", password="app", database="app", autocommit=False)
out = open(said, "a", buffering=1)


def say(what):
    out.write(f"{token} {what}\n")


def guarded(cursor):
    """The first statement of each transaction. One row is found as long as no later token was used."""
    return cursor.execute(
        "UPDATE worker_guard SET token = %s, uses = uses + 1 WHERE name = %s AND token <= %s", (token, name, token)
    )


while True:
    try:
        with db.cursor() as cursor:
            if guarded(cursor) != 1:
                db.rollback()
                say("refused")
                break
            cursor.execute("INSERT INTO work SELECT uses, token FROM worker_guard WHERE name = %s", (name,))
            say("half-done")
            time.sleep(0.2)
            db.commit()
            say("committed")
    except pymysql.MySQLError as error:
        say(f"failed {error.args[0]}")
        db.ping(reconnect=True)
    time.sleep(0.01)
with db.cursor() as cursor:
    cursor.execute("INSERT INTO unguarded (token) VALUES (%s)", (token,))
db.commit()
