"""What PyMySQL and mysqlclient both do: each case prints what the driver saw of it."""
import pathlib

import data
from transcript import digest, rows, say, value

LOST = (0, 2006, 2013, 2026, 2055)
# A server that is ending a session says so or just closes; where it says nothing the proxy does, with 1927.
ENDED = (*LOST, 1317, 1927)


def run(client, settings):
    connection = client.connect(settings)
    say("server", *client.greeting(connection))
    session(connection)
    for statement in data.statements():
        execute(connection, statement)
    parameters(connection)
    streamed(client, connection)
    transactions(client, connection, settings)
    local_infile(connection, settings)
    if settings["big_bytes"]:
        big_packet(connection, settings["big_bytes"])
    for line in client.session_commands(connection, settings):
        say(line)
    killed(connection)
    connect_errors(client, settings)


def session(connection):
    """Proof that what the mode asks for is in use."""
    with connection.cursor() as cursor:
        cursor.execute(data.session())
        say("session", *(column or "-" for column in cursor.fetchone()))


def execute(connection, statement, arguments=None):
    say(">", " ".join(statement.split())[:300], "" if arguments is None else value(arguments))
    cursor = connection.cursor()
    try:
        cursor.execute(statement, arguments)
        while True:
            result(cursor)
            if not cursor.nextset():
                break
    except Exception as error:  # every kind of error is part of what is compared
        say("  error", type(error).__name__, *(value(part) for part in error.args))
    cursor.close()


def result(cursor):
    say("  affected", cursor.rowcount, "last id", cursor.lastrowid)
    if cursor.description:
        for column in cursor.description:
            say("  column", value(tuple(column)))
        rows(cursor.fetchall())


def parameters(connection):
    execute(connection, "SELECT %s, %s, %s, %s, %s", (1, "ü 'quoted' \\", b"\x00\xff'\x1a", None, 1.25))
    cursor = connection.cursor()
    many = [(number, number * number) for number in range(100, 1100)]
    say("> executemany", cursor.executemany("INSERT INTO account (id, amount) VALUES (%s, %s)", many))
    connection.commit()
    execute(connection, "SELECT COUNT(*), SUM(amount) FROM account")


def streamed(client, connection):
    """A result that is read row by row while the server still sends it."""
    cursor = connection.cursor(client.STREAMING)
    cursor.execute("SELECT seq, REPEAT('capitana', 100) FROM seq_1_to_20000")
    seen = "\n".join(str(row) for row in cursor)
    say("> streamed", digest(seen.encode()))
    cursor.close()


def transactions(client, connection, settings):
    """Two sessions: what the other one sees before and after a commit, and a lock that it meets."""
    other = client.connect(settings)
    execute(other, "USE drivers")
    connection.begin()
    execute(connection, "UPDATE account SET amount = -1 WHERE id = 1")
    execute(other, "SELECT amount FROM account WHERE id = 1")
    execute(other, "SELECT amount FROM account WHERE id = 1 FOR UPDATE NOWAIT")
    connection.commit()
    execute(other, "SELECT amount FROM account WHERE id = 1")
    connection.begin()
    execute(connection, "DELETE FROM account")
    connection.rollback()
    execute(other, "SELECT COUNT(*) FROM account")
    other.close()


def local_infile(connection, settings):
    path = pathlib.Path(settings["directory"]) / "infile.csv"
    path.write_text(data.csv())
    execute(connection, "CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(64), amount DECIMAL(10,2))")
    execute(connection, f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded FIELDS TERMINATED BY ','")
    execute(connection, "SHOW WARNINGS")
    execute(connection, "SELECT COUNT(*), SUM(amount), SHA1(GROUP_CONCAT(name ORDER BY id)) FROM loaded")
    execute(connection, f"LOAD DATA LOCAL INFILE '{path}.missing' INTO TABLE loaded")
    execute(connection, "SELECT 'the session goes on'")


def big_packet(connection, size):
    big = data.big(size)
    cursor = connection.cursor()
    cursor.execute("SELECT LENGTH(%s), REPEAT('capitana', 1000000)", (big,))
    say("> a big packet there", *(value(column) for column in cursor.fetchone()))
    cursor.execute("SELECT REPEAT(%s, %s)", (big[:2**20], size // 2**20))
    say("> a big packet back", *(value(column) for column in cursor.fetchone()))
    cursor.close()


def killed(connection):
    """The server ends the session: the driver learns of it at once or at its next statement, as a lost connection."""
    cursor = connection.cursor()
    try:
        cursor.execute("KILL CONNECTION_ID()")
        cursor.execute("SELECT 1")
        say("> killed: not noticed")
    except Exception as error:
        say("> killed:", "ended" if error.args[0] in ENDED else error)
    try:
        cursor.execute("SELECT 1")
        say("> after the kill: still alive")
    except Exception as error:
        say("> after the kill:", "lost" if error.args[0] in LOST else error)


def connect_errors(client, settings):
    """Errors that the server answers in the handshake."""
    for wrong in ({"password": "wrong"}, {"user": "nobody_of_this_name"}, {"database": "no_such_database"}):
        try:
            client.connect({**settings, **wrong}).close()
            say("> connect with", wrong, "worked")
        except Exception as error:
            say("> connect with", wrong, type(error).__name__, *(value(part) for part in error.args))
