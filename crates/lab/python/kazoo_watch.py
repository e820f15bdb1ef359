"""A follower of the election: prints one JSON line for each first child it sees, until it is killed."""
import json
import signal
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

zookeeper, path = sys.argv[1:]
zk = KazooClient(hosts=zookeeper, timeout=4)
zk.start()
zk.ensure_path(path)


@zk.ChildrenWatch(path)
def changed(children):
    name = sorted(children)[0] if children else None
    try:
        data, stat = zk.get(f"{path}/{name}") if name else (b"", None)
    except NoNodeError:  # gone between the two reads: the watch fires again
        return
    print(json.dumps({"name": name, "data": data.decode(), "czxid": stat and stat.czxid}), flush=True)


signal.pause()
