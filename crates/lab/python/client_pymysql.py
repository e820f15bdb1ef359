"""PyMySQL: the protocol in Python. It has no compression, no prepared statements and no change of user."""
import pymysql
import pymysql.cursors

STREAMING = pymysql.cursors.SSCursor


def connect(settings):
    tls = {"ca": settings["ca"], "check_hostname": True, "verify_mode": True} if settings["ca"] else None
    return pymysql.connect(
        host=settings["host"], port=settings["port"], user=settings["user"], password=settings["password"],
        database=settings.get("database"), ssl=tls, ssl_disabled=tls is None, charset="utf8mb4", local_infile=True,
        autocommit=True, max_allowed_packet=256 * 2**20, connect_timeout=20)


def greeting(connection):
    capabilities = hex(connection.server_capabilities)
    return connection.server_version, connection.protocol_version, connection.server_charset, capabilities


def session_commands(connection, settings):
    connection.ping(reconnect=False)
    yield "ping"
    connection.select_db("mysql")
    with connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        yield f"select_db {cursor.fetchone()}"
