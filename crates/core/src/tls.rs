//! Follows a TLS client's records as far as it takes to know that its login has been sent and more: their headers, never
//! their contents. Owns nothing of what they carry.

/// Bytes before each record: type, version, length.
const HEADER: usize = 5;
/// The type of records with application data; under TLS 1.3 also that of encrypted handshake messages.
const APPLICATION_DATA: u8 = 23;
/// Under TLS 1.3 the first such record ends the client's part of the TLS handshake and the second is its login; a
/// third comes only from a client that has been let in, or asked something. Under TLS 1.2 it comes one later.
const SETTLED: u8 = 3;

/// The records a client has sent.
#[derive(Debug)]
pub struct Records {
    header: [u8; HEADER],
    have: usize,
    skip: usize,
    data: u8,
}

impl Records {
    /// Of a client that uses TLS; of others nothing is followed.
    #[must_use]
    pub fn new(tls: bool) -> Self {
        Self { header: [0; HEADER], have: 0, skip: 0, data: if tls { 0 } else { SETTLED } }
    }

    /// Whether the client has sent more than it takes to log in, so that breaking off is no broken handshake.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.data >= SETTLED
    }

    /// Takes in bytes that went to the server.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while !self.is_settled() && !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let missing = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + missing].copy_from_slice(&bytes[..missing]);
            self.have += missing;
            bytes = &bytes[missing..];
            if self.have == HEADER {
                self.have = 0;
                self.skip = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                self.data += u8::from(self.header[0] == APPLICATION_DATA);
            }
        }
    }
}
