//! Members of archives: `ARCHIVE!/MEMBER`, as the Android linker maps libraries out of packages without unpacking them.
//!
//! The format is that of zip files (PKWARE's APPNOTE.TXT, section 4.3). Only members that are stored as they are can be
//! mapped; what is wrong with others is told.

use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Between the path of an archive and that of a member.
const SEPARATOR: &[u8] = b"!/";

/// The end of the list of members, and its bytes.
const END: (&[u8], usize) = (b"PK\x05\x06", 22);
/// An entry of the list, and the bytes before its name.
const ENTRY: (&[u8], usize) = (b"PK\x01\x02", 46);
/// What stands before a member, and the bytes before its name.
const MEMBER: (&[u8], usize) = (b"PK\x03\x04", 30);
/// The longest comment behind the end.
const MAX_COMMENT: usize = 0xffff;

/// The path of an archive and the name of a member, where a path means one.
pub fn split(path: &Path) -> Option<(&Path, &[u8])> {
    let bytes = path.as_os_str().as_bytes();
    let at = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)?;
    let archive = Path::new(std::ffi::OsStr::from_bytes(&bytes[..at]));
    Some((archive, &bytes[at + SEPARATOR.len()..]))
}

/// Where a member's bytes are in an archive, or why they cannot be mapped.
pub fn member(archive: &[u8], name: &[u8]) -> Result<Range<usize>, &'static str> {
    const DAMAGED: &str = "the archive's list of members is damaged";
    let from = archive.len().saturating_sub(END.1 + MAX_COMMENT);
    let tail = &archive[from..];
    let end = tail.windows(END.0.len()).rposition(|window| window == END.0).ok_or("not a zip archive")?;
    let end = &tail[end..];
    let count = number(end, 10, 2).ok_or(DAMAGED)?;
    let mut at = number(end, 16, 4).ok_or(DAMAGED)?;
    if at == u32::MAX as usize {
        return Err("the archive is in the form for more than 4 GB, which is not read");
    }
    for _ in 0..count {
        let entry = archive.get(at..).filter(|entry| entry.starts_with(ENTRY.0)).ok_or(DAMAGED)?;
        let field = |offset, len| number(entry, offset, len).ok_or(DAMAGED);
        let (name_len, extra, comment) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        if entry.get(ENTRY.1..ENTRY.1 + name_len) == Some(name) {
            if field(10, 2)? != 0 {
                return Err(
                    "the member is compressed, and only what is stored as it is can be mapped as code",
                );
            }
            return data(archive, field(42, 4)?, field(24, 4)?).ok_or(DAMAGED);
        }
        at += ENTRY.1 + name_len + extra + comment;
    }
    Err("the archive has no such member")
}

/// The bytes of a member behind its own header, whose extra field differs from that in the list.
fn data(archive: &[u8], header: usize, size: usize) -> Option<Range<usize>> {
    let member = archive.get(header..).filter(|member| member.starts_with(MEMBER.0))?;
    let start = header + MEMBER.1 + number(member, 26, 2)? + number(member, 28, 2)?;
    let range = start..start.checked_add(size)?;
    archive.get(range.clone()).map(|_| range)
}

/// A little-endian number of 2 or 4 bytes.
fn number(bytes: &[u8], offset: usize, len: usize) -> Option<usize> {
    let bytes = bytes.get(offset..offset + len)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::{member, split};
    use std::path::Path;

    /// An archive of one member, as `zip -0` writes it, with a comment behind.
    fn archive(method: u8) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x0a\0\0\0".to_vec();
        bytes.extend([method, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 2, 0]);
        bytes.extend(b"a/beecode");
        let list = bytes.len() as u8;
        bytes.extend(b"PK\x01\x02\x0a\0\x0a\0\0\0");
        bytes.extend([method, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 0]);
        bytes.extend([0; 12]);
        bytes.extend(b"a/b");
        let size = bytes.len() as u8 - list;
        bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        bytes.extend([size, 0, 0, 0, list, 0, 0, 0, 7, 0]);
        bytes.extend(b"comment");
        bytes
    }

    #[test]
    fn stored_members_are_found() {
        let stored = archive(0);
        let range = member(&stored, b"a/b").expect("the member");
        assert_eq!(&stored[range], b"code");
        assert_eq!(member(&stored, b"a/c"), Err("the archive has no such member"));
        assert!(member(&archive(8), b"a/b").unwrap_err().contains("compressed"));
        assert_eq!(member(b"no archive", b"a/b"), Err("not a zip archive"));
        for len in 0..stored.len() {
            assert!(member(&stored[..len], b"a/b").is_err() || len >= stored.len() - 9, "cut to {len}");
        }
    }

    #[test]
    fn the_first_separator_counts() {
        let (archive, member) = split(Path::new("/a.apk!/lib/x!/y.so")).expect("an archive");
        assert_eq!((archive, member), (Path::new("/a.apk"), &b"lib/x!/y.so"[..]));
        assert_eq!(split(Path::new("/a!b")), None);
    }
}
