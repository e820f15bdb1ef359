"""What is sent: the statements and the data of the cases, the same at every run."""
import base64
import pathlib
import random

SEED = 7

HERE = pathlib.Path(__file__).parent


def session():
    """Tells what is in use: the version of TLS, compression and the authentication plugin."""
    return (HERE / "session.sql").read_text()


def statements():
    text = (HERE / "statements.sql").read_text()
    text = "\n".join(line for line in text.splitlines() if not line.startswith("-- "))
    return [statement.strip() for statement in text.split("$$\n") if statement.strip()]


def csv():
    numbers = random.Random(SEED)
    return "".join(f"{row},name {numbers.getrandbits(60):x},{numbers.randrange(10**6) / 100}\n" for row in range(20000))


def big(size):
    """Text (the command line cannot send everything else) that a compressor can make smaller, but not vanish."""
    numbers = random.Random(SEED)
    blocks = (base64.b64encode(numbers.randbytes(3072)) + b"%08d" % block * 1536 for block in range(size // 16384 + 1))
    return b"".join(blocks)[:size]
