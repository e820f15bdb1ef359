//! Whoever reads along what a relay moves. Seeing only: no observer alters a byte.

use capitana_core::handshake::Handshake;

/// Sees the bytes that pass.
pub trait Observer {
    /// Bytes on their way to the server.
    fn to_upstream(&mut self, bytes: &[u8]);
    /// Bytes on their way to the client.
    fn to_client(&mut self, bytes: &[u8]);
    /// Whether the relay should return to its caller now.
    fn pause(&self) -> bool;
}

/// No observer: the relay runs to its end.
impl Observer for () {
    fn to_upstream(&mut self, _: &[u8]) {}
    fn to_client(&mut self, _: &[u8]) {}
    fn pause(&self) -> bool {
        false
    }
}

impl Observer for Handshake {
    fn to_upstream(&mut self, bytes: &[u8]) {
        self.from_client(bytes);
    }
    fn to_client(&mut self, bytes: &[u8]) {
        self.from_server(bytes);
    }
    fn pause(&self) -> bool {
        self.is_over()
    }
}
