//! PROXY headers, versions 1 and 2: reads the one a load balancer in front sends, writes the one the server gets. Who
//! may send one is decided elsewhere. Formats: HAProxy's `proxy-protocol.txt`.

use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::ProxyProtocol;

/// The first bytes of a header of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of version 2: signature, version and command, family, length of the rest.
const FIXED: usize = 16;
/// The longest header of version 1, with its end of line.
const LONGEST_V1: usize = 107;
/// The longest of version 2 that is read. Addresses take 36 bytes; what balancers add is below 1 KB.
const LONGEST_V2: usize = 4096;
/// Version 2 and LOCAL: the balancer's own connection.
const LOCAL: u8 = 0x20;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The client.
    pub source: SocketAddr,
    /// Where the client connected to.
    pub destination: SocketAddr,
}

/// Reads a header and not a byte more. None: the connection is the sender's own (LOCAL), or it does not know whose
/// (UNKNOWN); then the sender's address counts, as the specification has it.
///
/// # Errors
/// There is none, or it cannot be read; the text says why.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Origin>, String> {
    let mut bytes = vec![0; SIGNATURE.len()];
    read_exact(from, &mut bytes).await?;
    if bytes == SIGNATURE {
        read_v2(from, &mut bytes).await?;
        if bytes[SIGNATURE.len()] == LOCAL {
            return Ok(None);
        }
    } else if bytes.starts_with(b"PROXY ") {
        read_v1(from, &mut bytes).await?;
    } else {
        return Err("it sent something else".to_owned());
    }
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match ProxyHeader::parse(&bytes, config) {
        Ok((header, length)) if length == bytes.len() => origin(header.proxied_address()),
        Ok(_) | Err(_) => Err("its header cannot be read".to_owned()),
    }
}

fn origin(address: Option<&ProxiedAddress>) -> Result<Option<Origin>, String> {
    match address {
        None => Ok(None),
        Some(ProxiedAddress { protocol: Protocol::Stream, source, destination }) => {
            Ok(Some(Origin { source: *source, destination: *destination }))
        }
        Some(_) => Err("its header is about datagrams".to_owned()),
    }
}

async fn read_v1(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Result<(), String> {
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() >= LONGEST_V1 {
            return Err("its header has no end".to_owned());
        }
        let mut byte = [0];
        read_exact(from, &mut byte).await?;
        bytes.push(byte[0]);
    }
    Ok(())
}

async fn read_v2(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Result<(), String> {
    bytes.resize(FIXED, 0);
    read_exact(from, &mut bytes[SIGNATURE.len()..]).await?;
    let length = FIXED + usize::from(u16::from_be_bytes([bytes[FIXED - 2], bytes[FIXED - 1]]));
    if length > LONGEST_V2 {
        return Err(format!("its header is longer than {LONGEST_V2} bytes"));
    }
    bytes.resize(length, 0);
    read_exact(from, &mut bytes[FIXED..]).await
}

async fn read_exact(from: &mut (impl AsyncRead + Unpin), bytes: &mut [u8]) -> Result<(), String> {
    match from.read_exact(bytes).await {
        Ok(_) => Ok(()),
        Err(_) => Err("it closed before its header was whole".to_owned()),
    }
}

/// The header that a server gets, of the version in the settings: empty if there is to be none.
#[must_use]
pub fn encode(
    version: ProxyProtocol,
    source: SocketAddr,
    destination: impl FnOnce() -> SocketAddr,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    if version == ProxyProtocol::Off {
        return bytes;
    }
    let (source, destination) = (canonical(source), canonical(destination()));
    // A header has one family for both; the server is interested in the source only.
    let destination = if source.is_ipv4() == destination.is_ipv4() { destination } else { source };
    let header = ProxyHeader::with_address(ProxiedAddress::stream(source, destination));
    let encoded = match version {
        ProxyProtocol::V1 => header.encode_v1(&mut bytes),
        _ => header.encode_v2(&mut bytes),
    };
    // Two stream addresses of one family: there is nothing that cannot be encoded.
    if encoded.is_err() {
        bytes.clear();
    }
    bytes
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
