"""An agent in ten lines: joins the election with a plain host name and stays until it is killed."""
import signal
import sys

from kazoo.client import KazooClient

zookeeper, host = sys.argv[1:]
zk = KazooClient(hosts=zookeeper, timeout=4)
zk.start()
print(zk.create("/mariadb/primary/node-", host.encode(), ephemeral=True, sequence=True, makepath=True), flush=True)
signal.pause()
