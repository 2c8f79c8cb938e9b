//! The dynamic linker's list of libraries, `/etc/ld.so.cache` (glibc, `elf/cache.c`): what a bare name of a library means.

/// Where the list is.
pub const LIBRARY_CACHE: &str = "/etc/ld.so.cache";

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// The paths of the libraries in a list that a name means, as it is or as what stands before `.so`, in the order of the
/// list, in which newer versions come first.
#[must_use]
pub fn paths<'c>(cache: &'c [u8], name: &[u8]) -> Vec<&'c [u8]> {
    // An older format may stand in front of the one that is read here.
    let Some(start) = cache.windows(MAGIC.len()).position(|window| window == MAGIC) else {
        return Vec::new();
    };
    let cache = &cache[start..];
    let word = |at: usize| Some(u32::from_le_bytes(*cache.get(at..)?.first_chunk()?) as usize);
    let text = |at: usize| cache.get(at..)?.split(|&byte| byte == 0).next();
    let is_meant = |library: &[u8]| {
        library == name || library.strip_prefix(name).is_some_and(|rest| rest.starts_with(b".so"))
    };
    let count = word(20).unwrap_or(0).min(cache.len() / ENTRY);
    let entries = (0..count).map(|index| HEADER + index * ENTRY);
    let library = |entry: usize| {
        let (library, path) = (text(word(entry + 4)?)?, text(word(entry + 8)?)?);
        is_meant(library).then_some(path)
    };
    entries.filter_map(library).collect()
}
