//! Where a proxy listens, and what it says where it cannot.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

#[path = "support/proxy/mod.rs"]
mod support;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use capitana::exit;
use rustix::process::{Pid, Signal, kill_process};
use support::{Client, Proxy, Start, Stub, error_of, free_address, free_port, metric, read_packet, until};

#[test]
fn every_listener_leads_to_the_primary() {
    let stub = Stub::echo();
    let (second, third) = (free_address(), free_address());
    let proxy = Start::to(stub.address).flag("--listen", &format!("{second},{third}")).start();
    for address in [proxy.listen, second, third] {
        Client::open(address).echo(b"here too");
    }
}

/// A free address of IPv6's loopback, unless this machine has none.
fn free_ipv6() -> Option<SocketAddr> {
    free_port(Ipv6Addr::LOCALHOST.into()).ok()
}

#[test]
fn ipv6_is_listened_on_and_led_to_where_the_machine_has_it() {
    let Some(listen) = free_ipv6() else {
        let mut proxy = Start::to(free_address()).flag("--listen", "[::1]:33066").spawn();
        assert_ne!(proxy.exit_code(), 0);
        return;
    };
    let stub = Stub::on(free_ipv6().unwrap(), |stream| drop(support::accept_login(stream)));
    let proxy = Start::to(stub.address).flag("--listen", &listen.to_string()).start();
    Client::open(listen);
    Client::open(proxy.listen);
    assert_eq!(stub.accepted(), 2);
}

/// A proxy on a port of hosts that all share, so that it can be taken meanwhile: by any process.
fn on_shared(host: IpAddr, start: impl Fn(u16) -> Start) -> (Proxy, u16) {
    loop {
        let port = free_port(host).unwrap().port();
        let mut proxy = start(port).spawn();
        if until("it serves or has ended", || proxy.serves()) {
            return (proxy, port);
        }
        assert_eq!(proxy.exit_code(), i32::from(exit::UNAVAILABLE));
    }
}

#[test]
fn both_families_can_be_listed_with_the_same_port() {
    if free_ipv6().is_none() {
        return ipv6_is_listened_on_and_led_to_where_the_machine_has_it();
    }
    let stub = Stub::echo();
    let any = |port| Start::to(stub.address).flag("--listen", &format!("0.0.0.0:{port},[::]:{port}"));
    let (_proxy, port) = on_shared(Ipv4Addr::UNSPECIFIED.into(), any);
    Client::open(SocketAddr::new("127.0.0.1".parse().unwrap(), port)).echo(b"four");
    Client::open(SocketAddr::new("::1".parse().unwrap(), port)).echo(b"six");
}

#[test]
fn a_name_is_resolved_to_the_primary() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stub = Stub::behind(listener, |stream| drop(support::accept_login(stream)));
    let port = stub.address.port();
    let proxy = Start::with(&["--primary", &format!("localhost:{port}")]).start();
    Client::open(proxy.listen);
    assert_eq!(stub.accepted(), 1);
}

#[test]
fn without_the_permission_to_listen_it_says_so_in_one_line() {
    let reserved: u16 = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .map_or(1024, |text| text.trim().parse().unwrap());
    // Where the kernel reserves no port, as in many containers, there is no permission to lack.
    let address = SocketAddr::new(free_address().ip(), reserved.saturating_sub(1).max(1));
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"]);
        command.arg(env!("CARGO_BIN_EXE_capitana"));
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_capitana"))
    };
    // The admin address is wrong too, so that the proxy ends at once in any case.
    let wrong = "192.0.2.1:1";
    command.args(["proxy", "--primary", "127.0.0.1:1", "--listen", &address.to_string()]);
    let output = command.args(["--admin-listen", wrong, "--log-level", "error"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    if reserved > 1 {
        assert_eq!(output.status.code(), Some(exit::NO_PERMISSION.into()), "{said}");
        assert!(said.contains(&address.to_string()) && said.contains("CAP_NET_BIND_SERVICE"), "{said}");
    } else {
        assert_eq!(output.status.code(), Some(exit::CONFIG.into()), "{said}");
    }
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let (stub, listen, admin) = (Stub::echo(), free_address(), free_address());
    let mut proxy = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_capitana"), "proxy"])
        .args(["--primary", &stub.address.to_string()])
        .args(["--listen", &listen.to_string(), "--admin-listen", &admin.to_string()])
        .stderr(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .spawn()
        .unwrap();
    until("it listens", || TcpStream::connect(listen).ok());
    Client::open(listen).echo(b"without a word");
    until("no session is left", || (metric(admin, "capitana_sessions") == 0.0).then_some(()));
    kill_process(Pid::from_child(&proxy), Signal::TERM).unwrap();
    assert!(proxy.wait().unwrap().success());
}

#[test]
fn a_name_that_leads_back_to_the_proxy_is_not_followed_for_ever() {
    let itself = |port| {
        let (primary, listen) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
        Start::with(&["--primary", &primary, "--listen", &listen, "--hold-timeout", "1s"])
    };
    let (proxy, port) = on_shared(Ipv4Addr::LOCALHOST.into(), itself);
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (code, said) = error_of(&read_packet(&mut client).unwrap());
    assert!(code == 1053 && said.contains("this proxy's own address"), "{code} {said}");
    // The client's own and those of a second of attempts, each of which is accepted once and goes no further.
    assert!(metric(proxy.admin, "capitana_connections_accepted_total") < 100.0);
}
