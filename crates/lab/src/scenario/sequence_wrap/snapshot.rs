//! A snapshot as a ZooKeeper server writes it and starts from: a tree with one path, whose counter of created children,
//! from which sequence numbers are taken, stands where it is wanted. Creating two thousand million children instead
//! would take weeks.
//!
//! The format is that of ZooKeeper's `FileSnap` and `DataTree`: numbers are big-endian, texts and data have their length
//! before them.

/// The file's name: the zxid of the last transaction in it, in hexadecimal.
pub(super) const NAME: &str = "snapshot.100";

/// `ZKSN`, and version 2, of no database in particular.
const HEADER: [u8; 16] = *b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff";
/// The number of the one ACL.
const OPEN: i64 = 1;
/// Every permission.
const ALL: i32 = 31;
/// What every server has.
const OWN: [&str; 4] = ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// A snapshot of a tree with `path`, which gives `counter` as its next sequence number.
pub(super) fn with_counter(path: &str, counter: i32) -> Vec<u8> {
    let mut file = HEADER.to_vec();
    // No sessions; one ACL with one entry.
    file.extend([0_i32, 1].iter().flat_map(|number| number.to_be_bytes()));
    file.extend(OPEN.to_be_bytes());
    file.extend([1_i32, ALL].iter().flat_map(|number| number.to_be_bytes()));
    text(&mut file, "world");
    text(&mut file, "anyone");
    OWN.iter().for_each(|own| znode(&mut file, own, 0));
    let parents = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
    parents.for_each(|parent| znode(&mut file, parent, 0));
    znode(&mut file, path, counter);
    text(&mut file, "/");
    let sum = i64::from(adler32(&file));
    file.extend(sum.to_be_bytes());
    text(&mut file, "/");
    file
}

/// Path, data, ACL; czxid, mzxid, ctime, mtime; version, cversion, aversion; owner, pzxid.
fn znode(file: &mut Vec<u8>, path: &str, cversion: i32) {
    text(file, path);
    text(file, "");
    file.extend(OPEN.to_be_bytes());
    file.extend([0; 4 * 8]);
    file.extend([0, cversion, 0].iter().flat_map(|number: &i32| number.to_be_bytes()));
    file.extend([0; 2 * 8]);
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.extend(u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
    file.extend(text.as_bytes());
}

/// The checksum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    let next = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = bytes.iter().fold((1, 0), next);
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
