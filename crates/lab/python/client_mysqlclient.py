"""mysqlclient: MariaDB's C connector behind Python's database API."""
import MySQLdb
import MySQLdb.cursors

STREAMING = MySQLdb.cursors.SSCursor


def connect(settings):
    options = {"ssl_mode": "DISABLED"}
    if settings["ca"]:
        options = {"ssl": {"ca": settings["ca"]}, "ssl_mode": "VERIFY_IDENTITY"}
    if settings["compressed"]:  # any value turns it on
        options["compress"] = True
    if settings.get("database"):
        options["database"] = settings["database"]
    return MySQLdb.connect(
        host=settings["host"], port=settings["port"], user=settings["user"], password=settings["password"],
        charset="utf8mb4", local_infile=1, autocommit=True, connect_timeout=20, **options)


def greeting(connection):
    return connection.get_server_info(), connection.get_proto_info(), connection.get_character_set_info()


def session_commands(connection, settings):
    connection.ping()
    yield "ping"
    connection.select_db("mysql")
    cursor = connection.cursor()
    cursor.execute("SELECT DATABASE()")
    yield f"select_db {cursor.fetchone()}"
    cursor.execute("SET @user_variable = 1")
    connection.change_user(settings["user"], settings["password"], "drivers")
    cursor.execute("SELECT DATABASE(), CURRENT_USER(), @user_variable")
    yield f"change_user {cursor.fetchone()}"
