"""What is sent: the statements and the data of the cases, the same at every run."""
import base64
import pathlib
import random

SEED = 7

# What is in use: the version of TLS, compression and the authentication plugin.
SESSION = """
SELECT (SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_VERSION') AS tls,
 (SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'COMPRESSION') AS compression,
 (SELECT plugin FROM mysql.user WHERE CONCAT(user, '@', host) = CURRENT_USER()) AS plugin
"""


def statements():
    text = (pathlib.Path(__file__).parent / "statements.sql").read_text()
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
