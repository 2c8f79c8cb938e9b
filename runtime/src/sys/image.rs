//! This program's own file, as the kernel mapped it.

use std::io;
use std::os::fd::AsRawFd;

use super::own;

/// `struct Elf64_Phdr` (ELF-64 object file format), of which only these fields are used.
#[repr(C)]
#[derive(Clone, Copy)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    _physical: u64,
    file_size: u64,
    memory_size: u64,
    _align: u64,
}

const LOAD: u32 = 1;
const PHDR: u32 = 6;
const READABLE: u32 = 4;
/// Where program headers stand when no PT_PHDR says so: right behind the ELF header.
const AFTER_ELF_HEADER: u64 = 64;

/// The read-only segments of this program that start with `magic`: where a payload is. The second part
/// tells whether the end of the file cuts the segment off; nothing is given of one of which `magic` itself is cut.
pub fn segments(magic: &[u8]) -> Vec<(&'static [u8], bool)> {
    let headers = program_headers();
    let Some(bias) = load_bias(headers) else { return Vec::new() };
    let candidates = headers.iter().filter(|header| {
        header.kind == LOAD && header.flags == READABLE && header.file_size >= magic.len() as u64
    });
    candidates
        .filter_map(|header| {
            let start = bias.wrapping_add(header.address) as usize;
            let len = header.file_size as usize;
            // Of all read-only segments of the program, the payload is the last in the file.
            if !is_readable(start) {
                return Some((&[][..], true));
            }
            // SAFETY: the kernel mapped this segment for the whole life of the process, nothing writes it,
            // and its first page was just found to be backed by the file.
            let head = unsafe { std::slice::from_raw_parts(start as *const u8, magic.len()) };
            if head != magic {
                return is_cut(head, magic).then_some((&[][..], true));
            }
            let cut = !is_readable(start + len - 1);
            let len = if cut { magic.len() } else { len };
            // SAFETY: as above; the last page is backed by the file too, and so are those before it.
            Some((unsafe { std::slice::from_raw_parts(start as *const u8, len) }, cut))
        })
        .collect()
}

/// Whether the file ends within `magic`: the rest of the page is zero then.
fn is_cut(head: &[u8], magic: &[u8]) -> bool {
    let same = head.iter().zip(magic).take_while(|(found, wanted)| found == wanted).count();
    same > 0 && head[same..].iter().all(|&byte| byte == 0)
}

fn program_headers() -> &'static [ProgramHeader] {
    // SAFETY: the kernel gives every program the address and number of its program headers, which lie in
    // one of its read-only segments.
    unsafe {
        let start = libc::getauxval(libc::AT_PHDR) as *const ProgramHeader;
        let count = libc::getauxval(libc::AT_PHNUM) as usize;
        let size = libc::getauxval(libc::AT_PHENT) as usize;
        if start.is_null() || size != size_of::<ProgramHeader>() {
            return &[];
        }
        std::slice::from_raw_parts(start, count)
    }
}

/// The difference between addresses in memory and addresses in the file.
fn load_bias(headers: &[ProgramHeader]) -> Option<u64> {
    let actual = headers.as_ptr().addr() as u64;
    let phdr = headers.iter().find(|header| header.kind == PHDR).map(|header| header.address);
    let first = headers.iter().find(|header| header.kind == LOAD && header.offset == 0);
    let planned = phdr.or_else(|| first.map(|header| header.address + AFTER_ELF_HEADER))?;
    Some(actual.wrapping_sub(planned))
}

/// Whether a byte of a mapping can be read. Reading behind the end of a truncated file would kill the
/// process, so a system call does it, which only fails.
fn is_readable(address: usize) -> bool {
    // SAFETY: no pointers are passed.
    let Ok(event) = own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }.into()) else {
        return false;
    };
    // The call reads 8 bytes; they stay within the page.
    let address = address & !7;
    // SAFETY: the kernel checks the address itself and reports a bad one.
    let result = unsafe { libc::write(event.as_raw_fd(), address as *const libc::c_void, 8) };
    result == 8 || io::Error::last_os_error().raw_os_error() != Some(libc::EFAULT)
}
