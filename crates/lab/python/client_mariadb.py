"""The command line client `mariadb`: its output, without the times, is the transcript."""
import pathlib
import re
import subprocess
import tempfile

import data
from transcript import digest, say

TIMES = re.compile(rb"\(\d+\.\d+ sec\)")


class Refused(Exception):
    """The client ended with an error."""


def run(settings):
    session = execute(settings, data.session() + "$$\n", "--skip-column-names").decode()
    say("session", *(column or "-" for column in session.split("\n")[0].split("\t")))
    told = ["-vvv", "--force", "--show-warnings", "--column-type-info"]
    tell(execute(settings, "".join(f"{statement}$$\n" for statement in data.statements()), *told))
    tell(execute(settings, local_infile(settings), *told))
    if settings["big_bytes"]:
        tell(execute(settings, big_packet(settings["big_bytes"])))
    for wrong in ({"password": "wrong"}, {"user": "nobody_of_this_name"}, {"database": "no_such_database"}):
        say("> connect with", wrong)
        tell(execute({**settings, **wrong}, "SELECT 1$$\n"))


def local_infile(settings):
    path = pathlib.Path(settings["directory"]) / "infile.csv"
    path.write_text(data.csv())
    return (
        "USE drivers$$\nCREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(64), amount DECIMAL(10,2))$$\n"
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded FIELDS TERMINATED BY ','$$\n"
        "SELECT COUNT(*), SUM(amount), SHA1(GROUP_CONCAT(name ORDER BY id)) FROM loaded$$\n"
        f"LOAD DATA LOCAL INFILE '{path}.missing' INTO TABLE loaded$$\nSELECT 'the session goes on'$$\n")


def big_packet(size):
    big = data.big(size).decode()
    return f"SELECT LENGTH('{big}') AS there$$\nSELECT REPEAT('{big[:2**20]}', {size // 2**20}) AS back$$\n"


def execute(settings, statements, *options):
    # From a file: with a pipe both sides could wait for each other.
    with tempfile.TemporaryFile(dir=settings["directory"]) as source:
        source.write(statements.encode())
        source.seek(0)
        command = [*command_line(settings), *options]
        done = subprocess.run(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout + f"exit status {done.returncode}\n".encode()


def command_line(settings):
    options = [
        "--no-defaults", f"--host={settings['host']}", f"--port={settings['port']}", "--protocol=tcp",
        f"--user={settings['user']}", f"--password={settings['password']}", "--connect-timeout=20",
        "--default-character-set=utf8mb4", "--max-allowed-packet=256M", "--local-infile=1", "--batch", "--unbuffered",
        "--skip-reconnect", "--delimiter=$$", "--skip-ssl"]
    if settings["ca"]:
        options[-1:] = [f"--ssl-ca={settings['ca']}", "--ssl-verify-server-cert"]
    if settings["compressed"]:
        options.append("--compress")
    if settings.get("database"):
        options.append(f"--database={settings['database']}")
    return ["mariadb", *options]


def tell(output):
    for line in TIMES.sub(b"", output).split(b"\n"):
        say(digest(line) if len(line) > 1000 else line.decode(errors="backslashreplace"))


def connect(settings):
    """For certificates that must be refused."""
    output = execute(settings, "SELECT 1$$\n")
    if not output.endswith(b"exit status 0\n"):
        raise Refused(output.decode())
    return tempfile.TemporaryFile()
