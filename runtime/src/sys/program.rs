//! Programs that are loaded in the kernel, whoever loaded them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aya_obj::generated::{bpf_btf_info, bpf_cmd, bpf_func_info, bpf_prog_info};

use super::bpf::{bpf, empty, object_info};
use super::{is_errno, own};

/// The number of the program after `id`; the first one after 0.
pub fn next(id: u32) -> io::Result<Option<u32>> {
    let mut attr = empty();
    attr.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
    match bpf(bpf_cmd::BPF_PROG_GET_NEXT_ID, &mut attr) {
        // SAFETY: the kernel filled this member of the union in.
        Ok(_) => Ok(Some(unsafe { attr.__bindgen_anon_6.next_id })),
        Err(error) if is_errno(&error, libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The program of a number.
pub fn open(id: u32) -> io::Result<OwnedFd> {
    let mut attr = empty();
    attr.__bindgen_anon_6.__bindgen_anon_1.prog_id = id;
    own(bpf(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attr)?)
}

/// What is known of a program's functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// The program's BTF.
    pub types: Vec<u8>,
    /// The function types of the program itself and its subprograms.
    pub ids: Vec<u32>,
}

/// The functions of a program; none when it was loaded without BTF.
pub fn functions(program: BorrowedFd<'_>) -> io::Result<Functions> {
    const RECORD: u32 = size_of::<bpf_func_info>() as u32;
    let empty_info = || {
        // SAFETY: a struct of plain integers and arrays.
        let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
        info.func_info_rec_size = RECORD;
        info
    };
    let mut info = empty_info();
    object_info(program, (&raw mut info).addr() as u64, size_of::<bpf_prog_info>())?;
    if info.btf_id == 0 {
        return Ok(Functions::default());
    }
    let (types, count) = (types(info.btf_id)?, info.nr_func_info);
    let mut records = vec![bpf_func_info { insn_off: 0, type_id: 0 }; count as usize];
    let mut info = empty_info();
    info.nr_func_info = count;
    info.func_info = records.as_mut_ptr().addr() as u64;
    object_info(program, (&raw mut info).addr() as u64, size_of::<bpf_prog_info>())?;
    Ok(Functions { types, ids: records.into_iter().map(|record| record.type_id).collect() })
}

/// The BTF of a number.
fn types(id: u32) -> io::Result<Vec<u8>> {
    let mut attr = empty();
    attr.__bindgen_anon_6.__bindgen_anon_1.btf_id = id;
    let fd = own(bpf(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut attr)?)?;
    let ask = |buffer: &mut [u8]| {
        // SAFETY: a struct of plain integers.
        let mut info: bpf_btf_info = unsafe { std::mem::zeroed() };
        info.btf = buffer.as_mut_ptr().addr() as u64;
        info.btf_size = buffer.len() as u32;
        object_info(fd.as_fd(), (&raw mut info).addr() as u64, size_of::<bpf_btf_info>())?;
        Ok::<_, io::Error>(info.btf_size as usize)
    };
    let mut bytes = vec![0; ask(&mut [])?];
    ask(&mut bytes)?;
    Ok(bytes)
}
